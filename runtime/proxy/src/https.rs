//! APIs that are for HTTPS only: where plain requests are redirected, and `Strict-Transport-Security`.

use crate::tables::{Https, Origin};
use gateway_base::origin::host_of;
use gateway_wire::field_lines::FieldLines;
use gateway_wire::reject::Reject;

/// [`Https::Required`] with this deployment's origins.
#[derive(Debug)]
pub struct HttpsOnly {
    /// Host in lower case, and origin; a request is sent on within the host that it names.
    origins: Vec<(Box<str>, Box<str>)>,
    /// `Strict-Transport-Security` for responses over TLS, if there is one.
    pub(crate) hsts: FieldLines,
}

/// What a plain request gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// The origin that it is sent on to.
    Redirect(Box<str>),
    Refuse(Reject),
}

impl HttpsOnly {
    /// What a document says; `origin` is what the deployment has instead of its hosts.
    pub fn of(https: &Https, origin: Option<&str>) -> Option<Self> {
        let Https::Required { redirect_to, hsts } = https else { return None };
        let text = |Origin { host, port }: &Origin| match port {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        };
        let origins = match origin.filter(|_| !redirect_to.is_empty()) {
            Some(origin) => vec![(host_of(origin.trim_start_matches("https://")).into(), origin.into())],
            None => redirect_to.iter().map(|origin| (origin.host.into(), text(origin).into())).collect(),
        };
        let mut fields = FieldLines::new();
        if !hsts.is_empty() {
            // The compiler has made it of numbers and words.
            fields.push_if_valid("Strict-Transport-Security", hsts);
        }
        Some(Self { origins, hsts: fields })
    }

    /// What a plain request for `authority` gets. No redirect leads to a host that only the request names.
    pub(crate) fn answer_plain(&self, authority: Option<&str>) -> Plain {
        let Some((_, first)) = self.origins.first() else { return Plain::Refuse(Reject::HttpsRequired) };
        match authority.map(host_of).filter(|host| !host.is_empty()) {
            None => Plain::Redirect(first.clone()),
            Some(host) => match self.origins.iter().find(|(known, _)| **known == *host) {
                Some((_, origin)) => Plain::Redirect(origin.clone()),
                None => Plain::Refuse(Reject::Misdirected),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_base::origin::parse_origin;

    #[test]
    fn plain_requests_go_to_hosts_that_are_known() {
        const REQUIRED: Https = Https::Required {
            redirect_to: &[Origin { host: "a.example", port: 443 }, Origin { host: "[::1]", port: 8443 }],
            hsts: "",
        };
        let https = HttpsOnly::of(&REQUIRED, None).expect("required");
        for (authority, expected) in [
            (None, Some("https://a.example")),
            (Some(""), Some("https://a.example")),
            (Some("a.example"), Some("https://a.example")),
            (Some("A.Example.:8080"), Some("https://a.example")),
            (Some("[::1]:80"), Some("https://[::1]:8443")),
            (Some("a.example.evil.test"), None),
            (Some("evil.test:443"), None),
            (Some("a.example:80:80"), None),
            (Some("a.example@evil.test"), None),
        ] {
            let expected = expected.map_or(Plain::Refuse(Reject::Misdirected), |origin| Plain::Redirect(origin.into()));
            assert_eq!(https.answer_plain(authority), expected, "{authority:?}");
        }
        let https = HttpsOnly::of(&REQUIRED, Some("https://b.example:8443")).expect("required");
        assert_eq!(https.answer_plain(Some("b.example")), Plain::Redirect("https://b.example:8443".into()));
        assert_eq!(https.answer_plain(Some("a.example")), Plain::Refuse(Reject::Misdirected));
    }

    #[test]
    fn origins_have_a_host_and_nothing_more() {
        for (good, expected) in [
            ("https://A.example:8443/", "https://a.example:8443"),
            ("https://a", "https://a"),
            ("https://a_b.example.", "https://a_b.example."),
            ("https://192.0.2.1", "https://192.0.2.1"),
            ("https://[::1]", "https://[::1]"),
            ("https://[2001:DB8::1]:443", "https://[2001:db8::1]:443"),
        ] {
            assert_eq!(parse_origin(good).as_deref(), Ok(expected), "{good}");
        }
        for (bad, expected) in [
            ("http://a", "does not start with https://"),
            ("https:/a", "does not start with https://"),
            ("http://user:hunter2@a", "no user name and no password"),
            ("https://", "`https://` names no host"),
            ("https:///", "names no host"),
            ("https://:443", "neither a name nor an address"),
            ("https://a/b", "more than a host"),
            ("https://a?b", "more than a host"),
            ("https://a#b", "more than a host"),
            ("https://user:hunter2@a", "no user name and no password"),
            ("https://a:0", "from 1 to 65535"),
            ("https://a:b", "from 1 to 65535"),
            ("https://a:", "from 1 to 65535"),
            ("https://a:+1", "from 1 to 65535"),
            ("https://a:65536", "from 1 to 65535"),
            ("https://a:1:2", "from 1 to 65535"),
            ("https://::1", "write `[::1]`"),
            ("https://[::1", "without its `]`"),
            ("https://[x]", "no IPv6 address"),
            ("https://[::1%25eth0]", "no IPv6 address"),
            ("https://[::1]443", "between its host and its port"),
            ("https://a[b", "neither a name nor an address"),
            ("https://a..b", "neither a name nor an address"),
            ("https://.a", "neither a name nor an address"),
            ("https://a b", "neither a name nor an address"),
            ("https://a.example\r\nX: 1", "neither a name nor an address"),
            ("https://b\u{fc}cher.example", "xn--"),
            ("https://192.0.2.999", "not an IPv4 address"),
            ("https://1.2.3", "not an IPv4 address"),
        ] {
            let problem = parse_origin(bad).expect_err(bad).to_string();
            assert!(problem.contains(expected) && !problem.contains("hunter2"), "{bad}: {problem}");
        }
    }
}
