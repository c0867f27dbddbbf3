//! What a limit counts by: the caller, the address, parts of the request.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::caller::Caller;
use crate::request_view::{CredentialLocation, Found, RequestView};
use gateway_base::address::{Address, parse_address};
use gateway_limits::rule::{KeyParts, Part, PartKind};
use gateway_limits::tables::LimitKey;
use gateway_wire::forwarded::{Element, TrustedFields};
use gateway_wire::http1::head::Field;

/// What a request's keys are made of.
pub struct Subject<'a> {
    /// In the form that routes are found by: no spelling makes another path of it.
    pub path: &'a str,
    /// The client's address, as [`client_address`] finds it.
    pub address: IpAddr,
    /// The authenticated caller; `None` where anyone may call.
    pub caller: Option<&'a Caller>,
    /// The request, for keys that are header fields or query parameters.
    pub view: &'a RequestView<'a>,
}

impl KeyParts for Subject<'_> {
    fn address(&self) -> IpAddr {
        self.address
    }

    fn part<'k>(&'k self, key: &LimitKey, address: &'k Address) -> Part<'k> {
        let part = |kind: PartKind, bytes: Cow<'k, [u8]>| Part { kind, bytes };
        let value = |bytes: Cow<'k, [u8]>| {
            let kind = if bytes.is_empty() { PartKind::Missing } else { PartKind::Value };
            part(kind, bytes)
        };
        let found = |location: CredentialLocation| match location.find(self.view) {
            Found::Nothing => value(Cow::Borrowed(&[])),
            Found::One(Cow::Borrowed(text)) => value(text.as_bytes().into()),
            Found::One(Cow::Owned(text)) => value(text.into_bytes().into()),
            // Several values are a key as well; which of them the upstream takes is unknown.
            Found::Ambiguous => part(PartKind::Several, Cow::Borrowed(&[])),
        };
        let text = |text: &'k str| value(text.as_bytes().into());
        let consumer = || self.caller.and_then(|caller| caller.identity.as_ref());
        match key {
            LimitKey::Ip => value(address.bytes().into()),
            LimitKey::Caller => {
                let user = || self.caller.and_then(|caller| caller.user.as_deref());
                let client = || self.caller.and_then(|caller| caller.client.as_deref());
                match (consumer(), user(), client()) {
                    (Some(identity), ..) => part(PartKind::Consumer, identity.consumer.username.as_bytes().into()),
                    (None, Some(user), _) => part(PartKind::User, user.as_bytes().into()),
                    (None, None, Some(client)) => part(PartKind::Client, client.as_bytes().into()),
                    (None, None, None) => part(PartKind::Address, address.bytes().into()),
                }
            }
            LimitKey::Path => text(self.path),
            LimitKey::Const(constant) => part(PartKind::Const, constant.as_bytes().into()),
            LimitKey::Header(name) => found(CredentialLocation::Header(name)),
            LimitKey::Query(name) => found(CredentialLocation::Query(name)),
            LimitKey::Consumer => consumer().map_or(text(""), |identity| text(&identity.consumer.username)),
            LimitKey::Credential => consumer().map_or(text(""), |identity| match &identity.credential {
                // Ids are unique within a consumer only; a user name has no colon.
                Some(id) => value(format!("{}:{id}", identity.consumer.username).into_bytes().into()),
                None => text(&identity.consumer.username),
            }),
            LimitKey::User => self.caller.and_then(|caller| caller.user.as_deref()).map_or(text(""), text),
            LimitKey::Client => self.caller.and_then(|caller| caller.client.as_deref()).map_or(text(""), text),
        }
    }
}

/// Where a request came from: as far as proxies say that it `trusts`, in the fields of theirs that count, from the nearest
/// one on.
pub fn client_address(
    peer: IpAddr,
    fields: &[Field<'_>],
    trusted: TrustedFields,
    trusts: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    if !trusts(peer) {
        return peer;
    }
    let name = match trusted {
        TrustedFields::XForwarded => "x-forwarded-for",
        TrustedFields::Rfc7239 => "forwarded",
    };
    let mut address = peer;
    let chains = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).rev();
    for hop in chains.flat_map(|field| field.value.rsplit(|byte| *byte == b',')) {
        let next = match trusted {
            TrustedFields::XForwarded => parse_address(std::str::from_utf8(hop.trim_ascii()).unwrap_or_default()),
            TrustedFields::Rfc7239 => Element::parse(hop).and_then(|element| element.address()),
        };
        let Some(next) = next else { return address };
        address = next.to_canonical();
        if !trusts(address) {
            return address;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ipnet::IpNet;
    use tokio::time::Instant;

    use super::*;
    use gateway_limits::algorithm::Algorithm;
    use gateway_limits::counters::Limits;
    use gateway_limits::rule::{Rule, RuleHeaders};
    use gateway_limits::store::Stores;

    #[test]
    fn addresses_are_those_that_trusted_proxies_tell() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network")).into();
        let trusts = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "forged, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "forged", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
            ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            let fields = [Field { name: "X-Forwarded-For", value: forwarded.as_bytes() }];
            let address = client_address(peer.parse().expect("an address"), &fields, TrustedFields::XForwarded, trusts);
            assert_eq!(address.to_string(), expected, "{peer} {forwarded}");
        }
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "for=203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "for=203.0.113.9;proto=https", "203.0.113.9"),
            ("10.0.0.1", "for=198.51.100.7, for=203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "for=198.51.100.7, for=10.0.0.2;by=10.0.0.1", "198.51.100.7"),
            ("10.0.0.1", "for=\"198.51.100.7, for=\"203.0.113.9:80\"", "203.0.113.9"),
            ("10.0.0.1", "for=198.51.100.7, for=unknown", "10.0.0.1"),
            ("10.0.0.1", "for=198.51.100.7, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("fd00::1", "for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
        ] {
            // What proxies of this kind pass on may be the client's own.
            let other = Field { name: "X-Forwarded-For", value: b"198.51.100.66" };
            let fields = [other, Field { name: "Forwarded", value: forwarded.as_bytes() }, other];
            let address = client_address(peer.parse().expect("an address"), &fields, TrustedFields::Rfc7239, trusts);
            assert_eq!(address.to_string(), expected, "{peer} {forwarded}");
        }
    }

    /// All that a limit adds to a request, but for the bytes on the wire.
    /// `cargo test --release -p gateway-access --lib costs -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn the_cost_of_a_limited_request() {
        const TIMES: u32 = 2_000_000;
        let limits: &'static Limits = Box::leak(Box::new(Limits::new([], 32 << 20, Stores::default())));
        let algorithm = Algorithm::TokenBucket { limit: 1_000, interval: Duration::from_secs(60) };
        let rule = |name: &'static str| Rule {
            id: limits.table.add(algorithm).expect("there is room"),
            name: name.into(),
            algorithm,
            key: &[LimitKey::Ip],
            skips_missing_key: false,
            status: 429,
            body: "".into(),
            headers: RuleHeaders::Default,
            cost: 1,
            is_own: false,
            store: None,
        };
        let rules = [rule("one"), rule("two"), rule("three"), rule("four")];
        let view = RequestView::of(&[], None);
        for count in [1, 2, 4] {
            let started = std::time::Instant::now();
            for number in 0..TIMES {
                let address = IpAddr::from(number.wrapping_mul(0x9E37_79B1).to_be_bytes());
                let subject = Subject { path: "/", address, caller: None, view: &view };
                std::hint::black_box(limits.charge(0, rules[..count].iter(), &subject, Instant::now()));
            }
            eprintln!("{count} limits: {:.0} ns", started.elapsed().as_nanos() as f64 / f64::from(TIMES));
        }
    }
}
