//! JSON is read by the YAML parser: over many random documents, it must find in them what a JSON parser finds.

use gateway_yaml::{FileId, from_node, load};
use serde_json::{Map, Number, Value};

/// The same sequence in every run (xorshift), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn text(&mut self) -> String {
        // DEL and the C1 controls are missing on purpose: JSON allows them unescaped, we report them.
        const PIECES: &[&str] = &[
            "a",
            "key",
            ": ",
            " #",
            "#",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "\"",
            "\\",
            "/",
            "'",
            "&a",
            "*a",
            "!!str ",
            "|",
            ">",
            "%",
            "@",
            "`",
            "~",
            "null",
            "true",
            "1.5",
            "0x1F",
            "<<",
            "\n",
            "\r\n",
            "\t",
            "\u{0}",
            "\u{8}",
            "\u{85}",
            "\u{a0}",
            "\u{2028}",
            "\u{feff}",
            "é",
            "😀",
            "\u{10ffff}",
            "---",
            "...",
            "? ",
            "  ",
            "=",
        ];
        (0..self.below(6)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::from(self.below(usize::MAX) as i64 >> self.below(64)),
            3 => Value::from(u64::MAX - self.below(1000) as u64),
            4 => {
                Number::from_f64((self.below(1 << 53) as f64 - 4e15) / 3.7e12 + 0.1).map_or(Value::Null, Value::Number)
            }
            5 => Value::String(self.text()),
            6 => Value::Array((0..self.below(5)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Object((0..self.below(5)).map(|_| (self.text(), self.value(depth - 1))).collect::<Map<_, _>>()),
        }
    }
}

#[test]
fn same_as_a_json_parser() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..4000 {
        let expected = dice.value(5);
        let compact = expected.to_string();
        let pretty = serde_json::to_string_pretty(&expected).expect("writes");
        let ascii: String = compact
            .chars()
            .map(|letter| {
                if letter.is_ascii() {
                    return letter.to_string();
                }
                letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
            })
            .collect();
        for text in [&compact, &pretty, &ascii, &pretty.replace("\n", "\r\n"), &pretty.replace("  ", "\t")] {
            // `\t` for two blanks changes texts with two blanks in them; JSON allows no raw tab there.
            if serde_json::from_str::<Value>(text).ok().as_ref() != Some(&expected) {
                continue;
            }
            let node = load(FileId(0), text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
            let found: Value = from_node(&node).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
            assert_eq!(found, expected, "{text}");
        }
    }
}

#[test]
fn shapes_that_only_json_has() {
    for text in [
        "{\"a\"\n:\n1}",
        "{\"a\":1\n,\"b\":2}",
        "{\n\"a\":[\n],\n\"b\":{\n}\n}\n",
        "\n\n  {\"a\": 1}  \n",
        "\t{\t\"a\"\t:\t1\t}\t",
        "{\"a\":\"b\\/c\",\"\":\"\"}",
        "{\"a\":1E3,\"b\":0,\"c\":1.5e-3,\"d\":0}",
        "{\"http://x\":\"http://y\",\"{a}\":\"[b]\"}",
        "[]",
        "{}",
        "\"text\"",
        "[[[[[[[[[[1]]]]]]]]]]",
        &format!("{{\"a\":\"{}\",\"b\":1}}", "x".repeat(300_000)),
        &format!("{{\"{}\":1}}", "x".repeat(60_000)),
        &format!("[{}1]", "\"x\",".repeat(50_000)),
    ] {
        let short: String = text.chars().take(60).collect();
        let expected: Value = serde_json::from_str(text).expect("JSON");
        let node = load(FileId(0), text).unwrap_or_else(|error| panic!("{error:?}\n{short}"));
        let found: Value = from_node(&node).unwrap_or_else(|error| panic!("{error:?}\n{short}"));
        assert_eq!(found, expected, "{short}");
    }
}
