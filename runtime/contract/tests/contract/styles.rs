//! The table "Style Examples" of OpenAPI 3.2 (§4.12.5): each text is read as the value of its column.

use gateway_contract::tables::{Explode, ParameterLocation, Style};

use crate::support::{Request, names, parameter, prepare, with};

/// The value of each column. A schema of the same kind with another value refuses the text.
const EMPTY: [&str; 2] = [r#"{"const": ""}"#, r#"{"type": "string", "const": "blue"}"#];
const STRING: [&str; 2] = [r#"{"type": "string", "const": "blue"}"#, r#"{"type": "string", "const": "blu"}"#];
const ARRAY: [&str; 2] = [
    r#"{"type": "array", "items": {"type": "string"}, "const": ["blue", "black", "brown"]}"#,
    r#"{"type": "array", "items": {"type": "string"}, "const": ["blue", "black,brown"]}"#,
];
const OBJECT: [&str; 2] = [
    r#"{"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "integer"}, "B": {"type": "integer"}},
        "const": {"R": 100, "G": 200, "B": 150}}"#,
    r#"{"type": "object", "properties": {"R": {"type": "string"}, "G": {"type": "integer"}, "B": {"type": "integer"}},
        "const": {"R": 100, "G": 200, "B": 150}}"#,
];

/// A style, `explode`, and the texts of the columns: empty, string, array, object.
type Row = (Style, Explode, [Option<&'static str>; 4]);

const PATH: &[Row] = &[
    (
        Style::Matrix,
        Explode::No,
        [Some(";color"), Some(";color=blue"), Some(";color=blue,black,brown"), Some(";color=R,100,G,200,B,150")],
    ),
    (
        Style::Matrix,
        Explode::Yes,
        [Some(";color"), Some(";color=blue"), Some(";color=blue;color=black;color=brown"), Some(";R=100;G=200;B=150")],
    ),
    (Style::Label, Explode::No, [Some("."), Some(".blue"), Some(".blue,black,brown"), Some(".R,100,G,200,B,150")]),
    // As OpenAPI up to 3.0.3 has it.
    (Style::Label, Explode::No, [None, None, Some(".blue.black.brown"), Some(".R.100.G.200.B.150")]),
    (Style::Label, Explode::Yes, [Some("."), Some(".blue"), Some(".blue.black.brown"), Some(".R=100.G=200.B=150")]),
    (Style::Simple, Explode::No, [Some(""), Some("blue"), Some("blue,black,brown"), Some("R,100,G,200,B,150")]),
    (Style::Simple, Explode::Yes, [Some(""), Some("blue"), Some("blue,black,brown"), Some("R=100,G=200,B=150")]),
];

const QUERY: &[Row] = &[
    (
        Style::Form,
        Explode::No,
        [Some("color="), Some("color=blue"), Some("color=blue,black,brown"), Some("color=R,100,G,200,B,150")],
    ),
    (
        Style::Form,
        Explode::Yes,
        [Some("color="), Some("color=blue"), Some("color=blue&color=black&color=brown"), Some("R=100&G=200&B=150")],
    ),
    (
        Style::SpaceDelimited,
        Explode::No,
        [None, None, Some("color=blue%20black%20brown"), Some("color=R%20100%20G%20200%20B%20150")],
    ),
    (Style::SpaceDelimited, Explode::No, [None, None, Some("color=blue+black+brown"), Some("color=R+100+G+200+B+150")]),
    (
        Style::PipeDelimited,
        Explode::No,
        [None, None, Some("color=blue%7Cblack%7cbrown"), Some("color=R%7C100%7CG%7C200%7CB%7C150")],
    ),
    (Style::PipeDelimited, Explode::No, [None, None, Some("color=blue|black|brown"), Some("color=R|100|G|200|B|150")]),
    (Style::DeepObject, Explode::Yes, [None, None, None, Some("color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150")]),
    (Style::DeepObject, Explode::Yes, [None, None, None, Some("color[R]=100&color[G]=200&color[B]=150")]),
];

const COOKIE: &[Row] = &[
    (
        Style::Form,
        Explode::No,
        [Some("color="), Some("color=blue"), Some("color=blue,black,brown"), Some("color=R,100,G,200,B,150")],
    ),
    (
        Style::Form,
        Explode::Yes,
        [Some("color="), Some("color=blue"), Some("color=blue&color=black&color=brown"), Some("R=100&G=200&B=150")],
    ),
    (
        Style::Cookie,
        Explode::No,
        [Some("color="), Some("color=blue"), Some("color=blue,black,brown"), Some("color=R,100,G,200,B,150")],
    ),
    (
        Style::Cookie,
        Explode::Yes,
        [Some("color="), Some("color=blue"), Some("color=blue; color=black; color=brown"), Some("R=100; G=200; B=150")],
    ),
];

#[test]
fn the_table_of_styles() {
    let simple: Vec<&Row> = PATH.iter().filter(|(style, ..)| *style == Style::Simple).collect();
    let rows = (PATH.iter().map(|row| (ParameterLocation::Path, row)))
        .chain(simple.into_iter().map(|row| (ParameterLocation::Header, row)))
        .chain(QUERY.iter().map(|row| (ParameterLocation::Query, row)))
        .chain(COOKIE.iter().map(|row| (ParameterLocation::Cookie, row)));
    for (location, (style, explode, texts)) in rows {
        for (text, schemas) in texts.iter().zip([EMPTY, STRING, ARRAY, OBJECT]) {
            let Some(text) = text else { continue };
            let fields = match location {
                ParameterLocation::Header => [("Color", *text)],
                ParameterLocation::Cookie => [("Cookie", *text)],
                _ => [("Other", "")],
            };
            let query = if location == ParameterLocation::Query { text } else { "" };
            let request = Request { path: Some(text), query, fields: &fields };
            let found = schemas.map(|schema| {
                let prepared = prepare(with(vec![parameter(location, "color", *style, *explode, schema)]));
                names(&prepared.find(request).refused)
            });
            assert_eq!(found[0], "", "{location:?} {style:?} {explode:?} `{text}`");
            assert_ne!(found[1], "", "{location:?} {style:?} {explode:?} `{text}`, as another value");
        }
    }
}
