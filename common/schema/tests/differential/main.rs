//! Random schemas and values: the verdict is that of `python-jsonschema` (draft 2020-12).
//!
//! `GATEWAY_TEST_SEED` chooses other ones, and `GATEWAY_TEST_PAIRS` how many.
#![expect(clippy::disallowed_methods, reason = "the environment says which pairs, and whether skipping is a failure")]

mod random;

use std::io::Write as _;
use std::process::{Command, Stdio};

use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, SchemaError, Schemas};

use crate::random::Random;

/// Reads lines of `[{name: schema}, [value]]`, and prints a line of one character for each value: whether the schema
/// `R` admits it (`1`, `0`), or `-` where the library does not come to an end.
const JUDGE: &str = r##"
import json, sys
from jsonschema import Draft202012Validator
def verdict(validator, value):
    try: return "1" if validator.is_valid(value) else "0"
    except RecursionError: return "-"
for line in sys.stdin:
    named, values = json.loads(line)
    validator = Draft202012Validator({"$ref": "#/$defs/R", "$defs": named})
    print("".join(verdict(validator, value) for value in values))
"##;

const VALUES: usize = 12;

/// Schemas that refer to each other by their names, and values.
struct Case {
    named: Vec<(&'static str, String)>,
    values: Vec<String>,
}

impl Case {
    fn new(random: &mut Random) -> Self {
        let named = random::NAMES.iter().map(|name| (*name, random.schema(0))).collect();
        Self { named, values: (0..VALUES).map(|_| random.value(0)).collect() }
    }

    /// The verdicts of this crate, as [`JUDGE`] writes them.
    ///
    /// # Errors
    /// The schemas have no meaning.
    fn judge(&self) -> Result<String, SchemaError> {
        let mut schemas = Schemas::new(self.named.iter().map(|(name, schema)| (*name, &**schema)))?;
        let id = schemas.add(r#"{"$ref": "R"}"#)?;
        let verdict = |value: &String| {
            let value = Document::read(value.as_bytes()).expect("JSON");
            let is_valid = schemas.is_valid(id, value.root(), Direction::Request);
            let violations = schemas.check(id, value.root(), Direction::Request);
            assert_eq!(violations.is_empty(), is_valid, "both passes come to the same: {:?}", self.named);
            if is_valid { '1' } else { '0' }
        };
        Ok(self.values.iter().map(verdict).collect())
    }

    /// A line for [`JUDGE`], in which a name is a pointer.
    fn line(&self) -> String {
        let schema = |(name, schema): &(&str, String)| {
            format!(r##""{name}":{}"##, schema.replace(r#""$ref":""#, r##""$ref":"#/$defs/"##))
        };
        let named: Vec<String> = self.named.iter().map(schema).collect();
        format!("[{{{}}},[{}]]\n", named.join(","), self.values.join(","))
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn verdicts_are_those_of_another_implementation() {
    let found = Command::new("python3").args(["-c", "from jsonschema import Draft202012Validator"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
        assert!(!required, "python3 has no jsonschema");
        return eprintln!("skipped: python3 has no jsonschema");
    }
    let mut random = Random::new(number("GATEWAY_TEST_SEED", 1));
    let pairs = usize::try_from(number("GATEWAY_TEST_PAIRS", 12_000)).expect("a number of pairs");
    let mut judged = Vec::new();
    while judged.len() * VALUES < pairs {
        let case = Case::new(&mut random);
        match case.judge() {
            Ok(verdicts) => judged.push((case, verdicts)),
            Err(error) => assert!(error.is_about_the_whole, "{error}: {}", case.line()),
        }
    }
    let lines: String = judged.iter().map(|(case, _)| case.line()).collect();
    let answers = ask(lines);
    assert_eq!(answers.lines().count(), judged.len());
    let mut valid = 0;
    for ((case, verdicts), answer) in judged.iter().zip(answers.lines()) {
        for ((value, ours), theirs) in case.values.iter().zip(verdicts.chars()).zip(answer.chars()) {
            assert!(ours == theirs || theirs == '-', "{ours} is {theirs} in Python: {value} {}", case.line());
            valid += usize::from(ours == '1');
        }
    }
    // Pairs that are all of one kind would tell little.
    let all = judged.len() * VALUES;
    assert!((all / 10..all * 9 / 10).contains(&valid), "{valid} of {all} are valid");
}

/// What [`JUDGE`] answers to lines.
fn ask(lines: String) -> String {
    let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
    let mut judge = Command::new("python3").args(["-c", JUDGE]).stdin(stdin).stdout(stdout).spawn().expect("it starts");
    let mut input = judge.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = judge.wait_with_output().expect("it ends");
    writer.join().expect("the thread of the input").expect("the input is read");
    assert!(output.status.success(), "it ends well");
    String::from_utf8(output.stdout).expect("text")
}
