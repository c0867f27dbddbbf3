//! Properties of characters (`\p{…}`), as far as they are known exactly.

use super::categories::{CATEGORIES, RUNS};
use super::char_set::CharSet;
use super::scripts::{self, SCRIPTS};

/// The characters that have a property; `None` where the property is not known here.
pub(super) fn property(text: &str) -> Option<CharSet> {
    let name = match text.split_once('=') {
        Some(("General_Category" | "gc", value)) => return categories(value),
        Some(("Script" | "sc", value)) => return script(value),
        Some(_) => return None,
        None => text,
    };
    match name {
        "Any" => Some(CharSet::all()),
        "ASCII" => Some(CharSet::new(vec![(0, 0x7f)])),
        "ASCII_Hex_Digit" | "AHex" => Some(CharSet::new(vec![(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)])),
        "Alphabetic" | "Alpha" => Some(all_that(char::is_alphabetic)),
        "Uppercase" | "Upper" => Some(all_that(char::is_uppercase)),
        "Lowercase" | "Lower" => Some(all_that(char::is_lowercase)),
        "White_Space" | "space" => Some(all_that(char::is_whitespace)),
        name => categories(name),
    }
}

/// Names of general categories: the name that Unicode gives them, and the short one. A name of one letter stands for all
/// categories that begin with it.
static NAMES: &[(&str, &str)] = &[
    ("Letter", "L"),
    ("Uppercase_Letter", "Lu"),
    ("Lowercase_Letter", "Ll"),
    ("Titlecase_Letter", "Lt"),
    ("Modifier_Letter", "Lm"),
    ("Other_Letter", "Lo"),
    ("Mark", "M"),
    ("Combining_Mark", "M"),
    ("Nonspacing_Mark", "Mn"),
    ("Spacing_Mark", "Mc"),
    ("Enclosing_Mark", "Me"),
    ("Number", "N"),
    ("Decimal_Number", "Nd"),
    ("digit", "Nd"),
    ("Letter_Number", "Nl"),
    ("Other_Number", "No"),
    ("Punctuation", "P"),
    ("punct", "P"),
    ("Connector_Punctuation", "Pc"),
    ("Dash_Punctuation", "Pd"),
    ("Open_Punctuation", "Ps"),
    ("Close_Punctuation", "Pe"),
    ("Initial_Punctuation", "Pi"),
    ("Final_Punctuation", "Pf"),
    ("Other_Punctuation", "Po"),
    ("Symbol", "S"),
    ("Math_Symbol", "Sm"),
    ("Currency_Symbol", "Sc"),
    ("Modifier_Symbol", "Sk"),
    ("Other_Symbol", "So"),
    ("Separator", "Z"),
    ("Space_Separator", "Zs"),
    ("Line_Separator", "Zl"),
    ("Paragraph_Separator", "Zp"),
    ("Other", "C"),
    ("Control", "Cc"),
    ("cntrl", "Cc"),
    ("Format", "Cf"),
    ("Surrogate", "Cs"),
    ("Private_Use", "Co"),
    ("Unassigned", "Cn"),
];

/// The characters of a general category.
fn categories(name: &str) -> Option<CharSet> {
    let short = NAMES.iter().find(|(long, short)| *long == name || *short == name).map(|(_, short)| *short);
    let wanted = if name == "Cased_Letter" { "LC" } else { short.unwrap_or(name) };
    let is_wanted = |category: &str| match wanted {
        "LC" => matches!(category, "Lu" | "Ll" | "Lt"),
        wanted if wanted.len() == 1 => category.starts_with(wanted),
        wanted => category == wanted,
    };
    if !CATEGORIES.iter().any(|category| is_wanted(category)) {
        return None;
    }
    let is_wanted = |letters: &[u8]| match letters {
        [upper @ b'A'..=b'Z'] => CATEGORIES.get(usize::from(upper - b'A')).is_some_and(|name| is_wanted(name)),
        [lower @ b'a'..=b'd'] => CATEGORIES.get(usize::from(lower - b'a') + 26).is_some_and(|name| is_wanted(name)),
        _ => false,
    };
    Some(of_runs(RUNS, 1, is_wanted))
}

/// The characters of a script.
fn script(name: &str) -> Option<CharSet> {
    let wanted = SCRIPTS.iter().position(|(long, short)| *long == name || *short == name)?;
    let is_wanted = |letters: &[u8]| match letters {
        [high @ b'a'..=b'z', low @ b'a'..=b'z'] => usize::from(high - b'a') * 26 + usize::from(low - b'a') == wanted,
        _ => false,
    };
    Some(of_runs(scripts::RUNS, 2, is_wanted))
}

/// The characters of those runs that are wanted by their letters; each run begins with this number of letters.
fn of_runs(runs: &str, letters: usize, is_wanted: impl Fn(&[u8]) -> bool) -> CharSet {
    let mut ranges = Vec::new();
    let mut from = 0_u32;
    let mut rest = runs.as_bytes();
    while let Some((name, behind)) = rest.split_at_checked(letters).filter(|(name, _)| !name.is_empty()) {
        let digits = behind.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let (number, behind) = behind.split_at_checked(digits).unwrap_or((&[], behind));
        let length = number.iter().fold(0, |length, digit| length * 10 + u32::from(digit - b'0')).max(1);
        if is_wanted(name) {
            ranges.push((from, from + length - 1));
        }
        from += length;
        rest = behind;
    }
    CharSet::new(ranges)
}

fn all_that(is_wanted: fn(char) -> bool) -> CharSet {
    let wanted = (0..=u32::from(char::MAX)).filter(|code| char::from_u32(*code).is_some_and(is_wanted));
    CharSet::new(wanted.map(|code| (code, code)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_those_of_unicode() {
        let greek = property("Script=Greek").expect("known");
        let has = |set: &CharSet, character: char| !set.is_apart_from(&CharSet::of(u32::from(character)));
        assert!(has(&greek, 'α') && !has(&greek, 'a') && !has(&greek, 'я'));
        assert_eq!(property("sc=Grek"), Some(greek));
        let mut all = CharSet::default();
        for (long, short) in SCRIPTS {
            let set = script(long).expect(long);
            assert!(!set.ranges().is_empty() && set.is_apart_from(&all), "{long}");
            assert_eq!(script(short), Some(set.clone()), "{short}");
            all = all.union(&set);
        }
        assert_eq!(all, CharSet::all());
    }

    #[test]
    fn categories_are_those_of_the_standard_library() {
        let has = |set: &CharSet, character: char| !set.is_apart_from(&CharSet::of(u32::from(character)));
        let (numbers, controls) = (categories("Number").expect("known"), categories("Cc").expect("known"));
        for character in ('\0'..=char::MAX).step_by(7) {
            assert_eq!(has(&numbers, character), character.is_numeric(), "{character:?}");
            assert_eq!(has(&controls, character), character.is_control(), "{character:?}");
        }
        assert_eq!(categories("N"), Some(all_that(char::is_numeric)));
        assert_eq!(categories("Cc"), Some(all_that(char::is_control)));
        assert_eq!(property("Script_Extensions=Greek"), None);
        assert_eq!(property("X"), None);
        assert_eq!(property(""), None);
    }
}
