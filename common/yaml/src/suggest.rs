//! "Did you mean …?"

/// The candidate that `word` is probably a misspelling of.
///
/// Letter case, hyphens and underscores hardly count; otherwise about every third letter may be wrong, swapped letters
/// count once.
#[must_use]
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile key can have megabytes, and the distance takes quadratic time.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let allowed = word.chars().filter(|letter| !is_separator(*letter)).count().div_ceil(3);
    closest(word, allowed, candidates.into_iter().filter(|candidate| *candidate != word))
}

/// The candidate that `word` is but for `wrong` letters, or for letter case, hyphens and underscores. Stricter than
/// [`suggest`]: for words that mean something else more often than not.
#[must_use]
pub fn nearest<'a>(word: &str, wrong: usize, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    closest(word, wrong, candidates)
}

/// Whether two words differ at most in letter case, hyphens and underscores.
#[must_use]
pub fn same_word(one: &str, other: &str) -> bool {
    fn letters(word: &str) -> impl Iterator<Item = char> {
        word.chars().filter(|letter| !is_separator(*letter)).flat_map(char::to_lowercase)
    }
    letters(one).eq(letters(other))
}

/// The candidate with the fewest wrong letters, of which there may be `allowed`.
fn closest<'a>(word: &str, allowed: usize, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let ((length, letters), folded) = (letters_of(word), std::cell::LazyCell::new(|| fold(word)));
    let near = |candidate: &'a str| {
        // Each wrong letter changes the length by one, and takes or brings one letter, so that most words are no case for
        // the distance.
        let (other_length, other_letters) = letters_of(candidate);
        let missing = (letters & !other_letters).count_ones().max((other_letters & !letters).count_ones());
        if candidate.len() > 64 || other_length.abs_diff(length) > allowed || missing as usize > allowed {
            return None;
        }
        let distance = distance(&folded, &fold(candidate));
        (distance <= allowed).then_some((distance, candidate))
    };
    candidates.into_iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

/// How many letters a word has, and which: a bit for each letter and digit, and one for all others.
fn letters_of(word: &str) -> (usize, u64) {
    let bit = |letter: char| match letter.to_ascii_lowercase() {
        letter @ 'a'..='z' => letter as u32 - 'a' as u32,
        digit @ '0'..='9' => 26 + digit as u32 - '0' as u32,
        _ => 63,
    };
    let letters = word.chars().filter(|letter| !is_separator(*letter));
    letters.fold((0, 0), |(count, set), letter| (count + 1, set | 1 << bit(letter)))
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '-' | '_' | ' ')
}

fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|letter| !is_separator(*letter)).flat_map(char::to_lowercase).collect()
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn suggestions() {
        let candidates = ["security", "servers", "summary", "rateLimit", "get", "put", "post"];
        for (word, expected) in [
            ("secuirty", Some("security")),
            ("Security", Some("security")),
            ("rateLimits", Some("rateLimit")),
            ("rate-limit", Some("rateLimit")),
            ("server", Some("servers")),
            ("GET", Some("get")),
            ("gte", Some("get")),
            ("", None),
            ("banana", None),
            ("security", None),
        ] {
            assert_eq!(suggest(word, candidates), expected, "{word}");
        }
    }
}
