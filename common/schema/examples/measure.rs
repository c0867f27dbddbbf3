//! Measures reading and checking: `cargo run --release -p gateway-schema --example measure`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, and says so")]

use std::hint::black_box;
use std::time::Instant;

use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, Schemas};

/// An order of 20 fields and about 1 KiB.
const ORDER: &str = r#"{
  "id": "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
  "number": 1048576,
  "status": "confirmed",
  "created": "2024-05-17T09:30:12.250Z",
  "currency": "EUR",
  "total": 1249.90,
  "discount": 0.15,
  "express": false,
  "note": "Please ring twice, the bell is hard to hear from the garden behind the house. If nobody opens, the neighbour on the second floor takes parcels in the evening as well.",
  "tags": ["gift", "fragile", "insured"],
  "email": "jane.doe@example.com",
  "phone": "+49 30 1234567",
  "customer": {"id": 774411, "name": "Jane Doe", "vip": true},
  "shipping": {"street": "Hauptstrasse 12", "city": "Berlin", "zip": "10115", "country": "DE"},
  "billing": {"street": "Hauptstrasse 12", "city": "Berlin", "zip": "10115", "country": "DE"},
  "items": [
    {"sku": "AB-1234", "name": "Lamp, brass", "quantity": 2, "price": 149.95},
    {"sku": "CD-5678", "name": "Table, oak", "quantity": 1, "price": 950.00}
  ],
  "coupon": null,
  "channel": "web",
  "locale": "de-DE",
  "version": 3
}"#;

const ADDRESS: &str = r#"{"type": "object", "required": ["street", "city", "zip", "country"], "additionalProperties": false,
  "properties": {"street": {"type": "string", "minLength": 1, "maxLength": 100}, "city": {"type": "string", "maxLength": 80},
    "zip": {"type": "string", "maxLength": 10}, "country": {"type": "string", "minLength": 2, "maxLength": 2}}}"#;

const ITEM: &str = r#"{"type": "object", "required": ["sku", "quantity", "price"], "additionalProperties": false,
  "properties": {"sku": {"type": "string", "minLength": 1, "maxLength": 20}, "name": {"type": "string", "maxLength": 100},
    "quantity": {"type": "integer", "minimum": 1, "maximum": 1000}, "price": {"type": "number", "minimum": 0, "multipleOf": 0.01}}}"#;

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false,
  "required": ["id", "number", "status", "created", "currency", "total", "customer", "shipping", "items"],
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "number": {"type": "integer", "format": "int64", "minimum": 1},
    "status": {"type": "string", "enum": ["draft", "confirmed", "shipped", "closed"]},
    "created": {"type": "string", "format": "date-time"},
    "currency": {"type": "string", "minLength": 3, "maxLength": 3},
    "total": {"type": "number", "minimum": 0},
    "discount": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "express": {"type": "boolean"},
    "note": {"type": "string", "maxLength": 500},
    "tags": {"type": "array", "maxItems": 10, "uniqueItems": true, "items": {"type": "string", "maxLength": 30}},
    "email": {"type": "string", "format": "email"},
    "phone": {"type": "string", "maxLength": 20},
    "customer": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1},
      "name": {"type": "string", "maxLength": 100}, "vip": {"type": "boolean"}}},
    "shipping": {"$ref": "Address"},
    "billing": {"$ref": "Address"},
    "items": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"$ref": "Item"}},
    "coupon": {"type": ["string", "null"], "maxLength": 20},
    "channel": {"type": "string", "enum": ["web", "app", "shop"]},
    "locale": {"type": "string", "maxLength": 10},
    "version": {"type": "integer", "format": "int32", "minimum": 0}
  }}"#;

fn main() {
    let schemas = Schemas::new([("Address", ADDRESS), ("Item", ITEM), ("Order", SCHEMA)]).expect("schemas");
    let order = schemas.find("Order").expect("a schema");
    let document = Document::read(ORDER.as_bytes()).expect("JSON");
    assert_eq!(schemas.check(order, document.root(), Direction::Request), []);
    println!("{} bytes, {} slots", ORDER.len(), document.len());
    measure("read", || Document::read(black_box(ORDER.as_bytes())).is_ok());
    measure("check", || schemas.check(order, black_box(document.root()), Direction::Request).is_empty());
    let wrong = ORDER.replace("1048576", "\"one\"");
    let wrong = Document::read(wrong.as_bytes()).expect("JSON");
    measure("refuse", || !schemas.check(order, black_box(wrong.root()), Direction::Request).is_empty());
    measure("UTF-8 alone", || std::str::from_utf8(black_box(ORDER.as_bytes())).is_ok());
}

/// The best of some rounds: what disturbs a measurement only makes it slower. An argument chooses one measurement.
fn measure(what: &str, mut work: impl FnMut() -> bool) {
    if std::env::args().nth(1).is_some_and(|wanted| wanted != what) {
        return;
    }
    const TIMES: u32 = 20_000;
    let round = |_| {
        let start = Instant::now();
        for _ in 0..TIMES {
            assert!(work());
        }
        start.elapsed() / TIMES
    };
    let best = (0..20).map(round).min().unwrap_or_default();
    println!("{what}: {} ns", best.as_nanos());
}
