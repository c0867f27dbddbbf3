use std::io::Read;

use gateway_base::units::ByteSize;
use gateway_terms::compression::USUAL_TYPES;
use gateway_wire::http1::head::Field;

use crate::body_memory::BodyMemory;
use crate::compression::brotli::Brotli;
use crate::compression::choice::{Offer, Plan, Subject};
use crate::compression::gzip::Gzip;
use crate::compression::head::Values;
use crate::compression::zstd::Zstd;
use crate::compression::{Compression, Encoder, PIECE};

static ALL: Compression = Compression { codings: &[&Zstd, &Brotli, &Gzip], min: ByteSize::kib(1), types: USUAL_TYPES };

fn field<'f>((name, value): (&'f str, &'f str)) -> Field<'f> {
    Field { name, value: value.as_bytes() }
}

fn fields<'f>(fields: &[(&'f str, &'f str)]) -> Vec<Field<'f>> {
    fields.iter().copied().map(field).collect()
}

fn memory() -> &'static BodyMemory {
    Box::leak(Box::new(BodyMemory::new(3 << 20)))
}

/// A response with this length to a client that takes gzip: `-`, `vary`, `head` or the coding.
fn planned(
    accept: &[(&str, &str)],
    response: &[(&str, &str)],
    status: u16,
    length: Option<u64>,
    to_head: bool,
) -> String {
    let offer = Offer::to(&ALL, &fields(accept), true, memory());
    let fields = response.iter().map(|(name, value)| (*name, value.as_bytes()));
    match offer.plan(Subject { status, fields, length, to_head }) {
        Plan::Pass => "-".to_owned(),
        Plan::Vary => "vary".to_owned(),
        Plan::VaryWeakly => "weak".to_owned(),
        Plan::VaryWithoutLength => "head".to_owned(),
        Plan::Code(coding) => coding.coding().name().to_owned(),
    }
}

#[test]
fn the_preferred_coding_of_the_client_is_chosen() {
    for (accept, chosen) in [
        ("gzip, br, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5, zstd;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br , gzip ; q = 0.9", "br"),
        ("gzip;Q=0.2,br;q=0.1", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("*;q=0", "vary"),
        ("*;q=0, gzip;q=0.001", "gzip"),
        ("gzip;q=0", "vary"),
        ("gzip;q=0.000", "vary"),
        ("identity", "vary"),
        ("identity, gzip;q=0.5", "vary"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, br", "br"),
        ("identity;q=0", "vary"),
        ("deflate, compress", "vary"),
        ("", "vary"),
        (",,gzip,", "gzip"),
        // Weights that are none (RFC 9110 §12.4.2).
        ("gzip;q=2", "vary"),
        ("gzip;q=", "vary"),
        ("gzip;q=0.0001", "vary"),
        ("gzip;q=+1", "vary"),
        ("gzip;level=9", "vary"),
        ("gzip;q=1.000", "gzip"),
        ("gzip;q=1.001", "vary"),
        ("gzip;q=1.", "gzip"),
    ] {
        let json = [("Content-Type", "application/json")];
        assert_eq!(planned(&[("Accept-Encoding", accept)], &json, 200, None, false), chosen, "{accept:?}");
    }
    let json = [("Content-Type", "application/json")];
    let lines = [("accept-encoding", "gzip;q=0.5"), ("ACCEPT-ENCODING", "br")];
    assert_eq!(planned(&lines, &json, 200, None, false), "br");
    assert_eq!(planned(&[], &json, 200, None, false), "vary");
    let offer = Offer::to(&ALL, &fields(&[("Accept-Encoding", "gzip")]), false, memory());
    let subject = Subject {
        status: 200,
        fields: [("Content-Type", &b"text/plain"[..])].into_iter(),
        length: None,
        to_head: false,
    };
    assert!(matches!(offer.plan(subject), Plan::Vary), "HTTP/1.0 has no chunks");
}

#[test]
fn responses_that_stay_as_they_are() {
    let text = ("Content-Type", "text/plain");
    for (response, status, length, to_head, plan) in [
        (vec![text], 200, Some(1024), false, "gzip"),
        (vec![text], 200, Some(1023), false, "-"),
        (vec![text], 200, None, false, "gzip"),
        (vec![text], 200, Some(0), false, "-"),
        (vec![text], 404, None, false, "gzip"),
        (vec![text], 206, None, false, "-"),
        (vec![text], 204, None, false, "-"),
        (vec![text], 205, None, false, "-"),
        (vec![text], 103, None, false, "-"),
        (vec![], 304, None, false, "weak"),
        (vec![("Cache-Control", "no-transform")], 304, None, false, "-"),
        (vec![text], 200, Some(4096), true, "head"),
        (vec![text], 200, Some(10), true, "-"),
        (vec![], 200, None, false, "-"),
        (vec![("content-type", "image/png")], 200, None, false, "-"),
        (vec![text, ("Content-Encoding", "br")], 200, None, false, "-"),
        (vec![text, ("content-range", "bytes 0-1/2")], 416, None, false, "-"),
        (vec![text, ("Cache-Control", "max-age=1 , No-Transform")], 200, None, false, "-"),
        (vec![text, ("Cache-Control", "no-transformers")], 200, None, false, "gzip"),
        (vec![text, ("Cache-Control", "a=\"b, no-transform\"")], 200, None, false, "gzip"),
        (vec![text, ("Cache-Control", "a=\"b, no-transform")], 200, None, false, "-"),
        (vec![text, ("Cache-Control", "a, No-Transform=1")], 200, None, false, "-"),
        (vec![("Set-Cookie", "a=1"), text], 200, None, false, "-"),
    ] {
        let accept = [("Accept-Encoding", "gzip")];
        assert_eq!(planned(&accept, &response, status, length, to_head), plan, "{response:?} {status}");
    }
}

#[test]
fn a_304_has_the_validator_of_the_content_that_the_client_has() {
    for (request, plan) in [
        (vec![("Accept-Encoding", "gzip"), ("If-None-Match", "W/\"v1\"")], "weak"),
        (vec![("Accept-Encoding", "gzip"), ("If-None-Match", "\"v0\", W/\"v1\"")], "weak"),
        // It has the content as it is.
        (vec![("Accept-Encoding", "gzip"), ("If-None-Match", "\"v1\"")], "vary"),
        (vec![("Accept-Encoding", "gzip"), ("If-None-Match", "*")], "weak"),
        (vec![("Accept-Encoding", "gzip"), ("If-Modified-Since", "x")], "weak"),
        (vec![("If-Modified-Since", "x")], "vary"),
        (vec![("If-None-Match", "W/\"v1\"")], "weak"),
    ] {
        assert_eq!(planned(&request, &[], 304, None, false), plan, "{request:?}");
    }
    let (received, mut values) = (fields(&[("ETag", "\"v1\""), ("Accept-Ranges", "bytes")]), Values::default());
    let described = values.describe(&received, None, true);
    let etags: Vec<_> = described.iter().filter(|field| field.name == "ETag").map(|field| field.value).collect();
    assert_eq!((etags, described.len()), (vec![&b"W/\"v1\""[..]], 3));
}

fn described(received: &[(&str, &str)], coding: Option<&'static str>) -> Vec<String> {
    let (received, mut values) = (fields(received), Values::default());
    let described = values.describe(&received, coding, false);
    described.iter().map(|field| format!("{}: {}", field.name, String::from_utf8_lossy(field.value))).collect()
}

#[test]
fn heads_say_what_the_content_is() {
    let received = [
        ("ETag", "\"v1\""),
        ("Accept-Ranges", "bytes"),
        ("Content-MD5", "x"),
        ("Digest", "x"),
        ("Repr-Digest", "x"),
        ("Content-Digest", "x"),
        ("X", "1"),
        ("Vary", "Origin"),
        ("vary", "Accept"),
    ];
    assert_eq!(
        described(&received, Some("br")),
        ["X: 1", "ETag: W/\"v1\"", "Content-Encoding: br", "Vary: Origin, Accept, Accept-Encoding"]
    );
    let as_it_is = described(&received, None);
    assert_eq!(as_it_is.len(), received.len() - 1);
    assert_eq!((&*as_it_is[0], &*as_it_is[7]), ("ETag: \"v1\"", "Vary: Origin, Accept, Accept-Encoding"));
    for (vary, said) in [("*", "*"), ("accept-ENCODING", "accept-ENCODING"), ("", "Accept-Encoding")] {
        assert_eq!(described(&[("Vary", vary)], None), [format!("Vary: {said}")]);
    }
    assert_eq!(described(&[("ETag", "W/\"v1\"")], Some("gzip"))[0], "ETag: W/\"v1\"");
}

fn decoded(coding: &str, coded: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(coded).read_to_end(&mut content).map(drop)?,
        "br" => brotli::Decompressor::new(coded, 4096).read_to_end(&mut content).map(drop)?,
        _ => {
            content.reserve(4 << 20);
            let code = zstd_safe::DCtx::create().decompress(&mut content, coded);
            code.map_err(|code| std::io::Error::other(zstd_safe::get_error_name(code)))?;
        }
    }
    Ok(content)
}

/// Bytes that compress a little.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 28) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn content_comes_out_as_it_went_in() {
    for coding in ALL.codings {
        let name = coding.coding().name();
        for length in [0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 1 << 20] {
            for is_known in [false, true] {
                let content = content(length);
                let mut encoder = coding.encoder(is_known.then_some(length as u64)).expect("there is memory");
                let mut coded = Vec::new();
                for piece in content.chunks(PIECE) {
                    encoder.encode(piece, &mut coded).expect("it goes on");
                }
                encoder.finish(&mut coded).expect("it ends");
                assert!(length < 1000 || coded.len() < length * 3 / 4, "{name}: {length} became {}", coded.len());
                assert_eq!(decoded(name, &coded).expect("it is whole"), content, "{name} {length}");
            }
        }
    }
}

/// What a client can read of a content that has not ended.
fn readable(coding: &str, coded: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut byte = [0];
    match coding {
        "gzip" => {
            let mut reader = flate2::read::GzDecoder::new(coded);
            while let Ok(1) = reader.read(&mut byte) {
                content.push(byte[0]);
            }
        }
        "br" => {
            let mut reader = brotli::Decompressor::new(coded, 4096);
            while let Ok(1) = reader.read(&mut byte) {
                content.push(byte[0]);
            }
        }
        _ => {
            let mut context = zstd_safe::DCtx::create();
            content.reserve(4096);
            let mut output = zstd_safe::OutBuffer::around(&mut content);
            context.decompress_stream(&mut output, &mut zstd_safe::InBuffer::around(coded)).expect("it is zstd");
        }
    }
    content
}

#[test]
fn flushed_content_can_be_decoded() {
    for coding in ALL.codings {
        let mut encoder: Box<dyn Encoder> = coding.encoder(None).expect("there is memory");
        let (mut coded, mut sent) = (Vec::new(), String::new());
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            encoder.encode(event.as_bytes(), &mut coded).expect("it goes on");
            encoder.flush(&mut coded).expect("it goes on");
            sent += event;
            let name = coding.coding().name();
            assert_eq!(String::from_utf8_lossy(&readable(name, &coded)), sent, "{name}");
        }
    }
}

#[test]
fn encoders_take_no_more_memory_than_allowed() {
    let offer = Offer::to(&ALL, &[], true, memory());
    let first = offer.encoder(&Zstd, None);
    assert!(first.is_some());
    assert!(offer.encoder(&Zstd, None).is_none() && offer.encoder(&Brotli, None).is_none());
    assert!(offer.encoder(&Gzip, None).is_some());
    drop(first);
    assert!(offer.encoder(&Zstd, None).is_some());
}
