//! Schemas and values of few words, so that a value often fits.

/// Numbers of a sequence that a seed determines (xorshift64).
pub(crate) struct Random(u64);

/// The schemas that refer to each other; the first one judges.
pub(crate) const NAMES: [&str; 4] = ["R", "A", "B", "C"];

const MEMBERS: [&str; 5] = ["a", "b", "c", "ab", "é"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
const NUMBERS: [&str; 11] = ["0", "1", "2", "3", "-1", "1.0", "2.5", "0.5", "10", "1e2", "100"];
const STRINGS: [&str; 8] = ["", "a", "b", "ab", "aab", "é", "😀", "abc"];
const PATTERNS: [&str; 5] = ["^a", "b$", "[ab]{2}", "^.$", "é"];

/// Keywords, each as often as it is to come up.
const KEYWORDS: [&str; 43] = [
    "type",
    "type",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "contains",
    "maxProperties",
    "minProperties",
    "required",
    "required",
    "dependentRequired",
    "dependentSchemas",
    "allOf",
    "anyOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "properties",
    "properties",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "items",
    "items",
    "prefixItems",
    "unevaluatedItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "unevaluatedProperties",
    "$ref",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }

    /// Whether something that happens so many times in a hundred happens now.
    fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let index = self.below(texts.len());
        texts.get(index).copied().unwrap_or_default()
    }

    /// Some of the texts, in their order, as strings.
    fn some_of(&mut self, texts: &[&str], percent: usize) -> Vec<String> {
        let chosen = texts.iter().filter(|_| self.happens(percent));
        chosen.map(|text| format!(r#""{text}""#)).collect()
    }

    fn list(&mut self, fewest: usize, most: usize, make: impl Fn(&mut Self) -> String) -> String {
        let count = fewest + self.below(most - fewest + 1);
        let items: Vec<String> = (0..count).map(|_| make(self)).collect();
        format!("[{}]", items.join(","))
    }

    fn object(&mut self, names: &[&str], percent: usize, make: impl Fn(&mut Self) -> String) -> String {
        let names = self.some_of(names, percent);
        let members: Vec<String> = names.iter().map(|name| format!("{name}:{}", make(self))).collect();
        format!("{{{}}}", members.join(","))
    }

    pub(crate) fn value(&mut self, depth: usize) -> String {
        match self.below(if depth < 3 { 10 } else { 7 }) {
            0 => "null".to_owned(),
            1 => self.one_of(&["true", "false"]).to_owned(),
            2 | 3 => self.one_of(&NUMBERS).to_owned(),
            4..7 => format!(r#""{}""#, self.one_of(&STRINGS)),
            7 => self.list(0, 4, |random| random.value(depth + 1)),
            _ => self.object(&MEMBERS, 50, |random| random.value(depth + 1)),
        }
    }

    pub(crate) fn schema(&mut self, depth: usize) -> String {
        match self.below(100) {
            0..6 => return "true".to_owned(),
            6..10 => return "false".to_owned(),
            10..22 if depth > 0 => return format!(r#"{{"$ref":"{}"}}"#, self.one_of(&NAMES)),
            _ => {}
        }
        let mut said: Vec<&str> = Vec::new();
        let mut members = Vec::new();
        for _ in 0..=self.below(4) {
            let keyword = self.one_of(&KEYWORDS);
            if said.contains(&keyword) {
                continue;
            }
            if let Some(value) = self.keyword(keyword, depth) {
                said.push(keyword);
                members.push(format!(r#""{keyword}":{value}"#));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// The value of a keyword; none where schemas are deep enough, or would refer to themselves.
    fn keyword(&mut self, keyword: &str, depth: usize) -> Option<String> {
        if depth < 3
            && let Some(value) = self.applicator(keyword, depth + 1)
        {
            return Some(value);
        }
        let number = |random: &mut Self| random.one_of(&["0", "1", "2", "1.0", "2.5", "10"]).to_owned();
        Some(match keyword {
            "type" if self.happens(60) => format!(r#""{}""#, self.one_of(&TYPES)),
            "type" => {
                let types = self.some_of(&TYPES, 40);
                if types.is_empty() { r#""object""#.to_owned() } else { format!("[{}]", types.join(",")) }
            }
            "enum" => self.list(1, 4, |random| random.value(2)),
            "const" => self.value(2),
            "multipleOf" => self.one_of(&["1", "2", "0.5", "3"]).to_owned(),
            "maximum" | "minimum" | "exclusiveMaximum" | "exclusiveMinimum" => number(self),
            "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" => {
                self.one_of(&["0", "1", "2", "3"]).to_owned()
            }
            "pattern" => format!(r#""{}""#, self.one_of(&PATTERNS)),
            "uniqueItems" => self.one_of(&["true", "true", "false"]).to_owned(),
            "required" => format!("[{}]", self.some_of(&MEMBERS, 25).join(",")),
            "dependentRequired" => {
                self.object(&MEMBERS, 25, |random| format!("[{}]", random.some_of(&MEMBERS, 25).join(",")))
            }
            "$ref" if depth > 0 => format!(r#""{}""#, self.one_of(&NAMES)),
            _ => return None,
        })
    }

    /// The value of a keyword that has schemas, with what belongs to it.
    fn applicator(&mut self, keyword: &str, depth: usize) -> Option<String> {
        let schema = |random: &mut Self| random.schema(depth);
        Some(match keyword {
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => self.list(1, 3, schema),
            "properties" | "dependentSchemas" => self.object(&MEMBERS, 40, schema),
            "patternProperties" => self.object(&PATTERNS, 30, schema),
            "contains" => {
                let mut value = self.schema(depth);
                for bound in ["minContains", "maxContains"] {
                    if self.happens(40) {
                        value += &format!(r#","{bound}":{}"#, self.below(3));
                    }
                }
                value
            }
            "if" => {
                let mut value = self.schema(depth);
                for branch in ["then", "else"] {
                    if self.happens(70) {
                        value += &format!(r#","{branch}":{}"#, self.schema(depth));
                    }
                }
                value
            }
            "not"
            | "additionalProperties"
            | "propertyNames"
            | "items"
            | "unevaluatedItems"
            | "unevaluatedProperties" => self.schema(depth),
            _ => return None,
        })
    }
}
