//! Names and addresses of hosts, and of mailboxes.

use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

/// RFC 1123 §2.1: labels of letters, digits and hyphens, which are not at an end.
pub(super) fn is_hostname(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    // Labels with hyphens there are reserved (RFC 5890 §2.3.1); those that are in use begin with `xn`.
    let is_reserved =
        bytes.get(2..4) == Some(b"--") && !bytes.get(..2).is_some_and(|first| first.eq_ignore_ascii_case(b"xn"));
    (1..=63).contains(&bytes.len())
        && !is_reserved
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !bytes.starts_with(b"-")
        && !bytes.ends_with(b"-")
}

/// RFC 5321 §4.1.2 `Mailbox`, with the lengths of §4.5.3.1.
pub(super) fn is_mailbox(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    if local.len() > 64 {
        return false;
    }
    let is_local = match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => is_quoted(quoted),
        None => local.split('.').all(is_atom),
    };
    is_local
        && match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(literal) => match literal.get(..5) {
                Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => is_ipv6(literal.get(5..).unwrap_or_default()),
                _ => is_ipv4(literal),
            },
            None => is_hostname(domain),
        }
}

/// RFC 5322 §3.2.3 `atom`
fn is_atom(text: &str) -> bool {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_atext)
}

/// What is between the quotes of a `Quoted-string`.
fn is_quoted(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'"' => return false,
            b'\\' => bytes.next().unwrap_or(0),
            byte => byte,
        };
        if !(b' '..=b'~').contains(&byte) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is: fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
        for text in valid {
            assert!(is(text), "{text}");
        }
        for text in invalid {
            assert!(!is(text), "{text}");
        }
    }

    #[test]
    fn host_names() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        check(
            is_hostname,
            &["www.example.com", "localhost", "1.2.3.4", "a-b", "xn--4gbwdl.xn--wgbh1c", &label, &longest],
            &[
                "",
                ".",
                "a.",
                ".a",
                "a..b",
                "-a",
                "a-",
                "a_b",
                "ä",
                "ab--c",
                &format!("{label}a"),
                &format!("{longest}a"),
            ],
        );
    }

    #[test]
    fn addresses() {
        check(
            is_ipv4,
            &["192.168.0.1", "0.0.0.0"],
            &["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "0x7f.0.0.1", "1.2.3.4/8", " 1.2.3.4"],
        );
        check(
            is_ipv6,
            &["::", "::1", "1:2:3:4:5:6:7:8", "::ffff:192.168.0.1", "1:2:3:4:5:6:7::"],
            &["", ":", "1::2::3", "12345::", "1:2:3:4:5:6:7", "fe80::1%eth0", "::1/64", "::1.2.3"],
        );
    }

    #[test]
    fn mailboxes() {
        check(
            is_mailbox,
            &[
                "joe.bloggs@example.com",
                "te~st@example.com",
                "\"joe bloggs\"@example.com",
                "\"joe@b\"@example.com",
                "\"a\\\"b\"@a",
                "\"\"@a",
                "joe@[127.0.0.1]",
                "joe@[IPv6:::1]",
                "joe@localhost",
            ],
            &[
                "",
                "2962",
                "@a",
                "a@",
                "a@b@c",
                ".a@b",
                "a.@b",
                "a..b@c",
                "a b@c",
                "\"a\"b\"@c",
                "\"a\\\"@c",
                "a@[127.0.0.300]",
                "a@[::1]",
                "a@-b",
                "ä@b",
                &format!("{}@a", "a".repeat(65)),
            ],
        );
    }
}
