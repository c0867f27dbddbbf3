//! Parameters: what passes, and what is refused under which name.

use gateway_contract::finding::summary;
use gateway_contract::tables::ParameterLocation::{Cookie, Header, Path, Query, QueryString};
use gateway_contract::tables::{Contract, Explode, Mode, Parameter, Style, Unknown, Written};

use crate::support::{NOTHING, Request, names, parameter, prepare, query, required, with};

const INTEGERS: &str = r#"{"type": "array", "items": {"type": "integer"}}"#;
const POINT: &str = r#"{"type": "object", "required": ["x"], "additionalProperties": false,
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}"#;

#[test]
fn scalars_in_the_query() {
    let prepared = prepare(with(vec![
        query("limit", r#"{"type": "integer", "minimum": 1, "maximum": 100}"#),
        query("ratio", r#"{"type": "number", "exclusiveMinimum": 0, "maximum": 1}"#),
        query("on", r#"{"type": "boolean"}"#),
        query("sort", r#"{"type": "string", "enum": ["asc", "desc"]}"#),
        query("since", r#"{"type": "string", "format": "date"}"#),
        query("name", r#"{"type": "string", "minLength": 2, "maxLength": 4}"#),
        Parameter { may_be_empty: true, ..query("empty", r#"{"type": "integer"}"#) },
        query("big", r#"{"type": "integer", "format": "int64"}"#),
        query("maybe", r#"{"type": ["integer", "null"], "const": 7}"#),
        query("path", r#"{"type": "string", "pattern": "^/[a-z/:]+$"}"#),
    ]));
    for (text, refused) in [
        ("", ""),
        ("limit=1", ""),
        ("limit=100&&", ""),
        ("limit=007", ""),
        ("limit=%31", ""),
        ("l%69mit=0", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=+1", "limit"),
        ("limit=1&limit=1", "limit"),
        ("limit=1&sort=asc&limit=2", "limit"),
        ("ratio=0.5&ratio=x", "ratio"),
        ("ratio=1", ""),
        ("ratio=0", "ratio"),
        ("on=true", ""),
        ("on=TRUE", "on"),
        ("on=1", "on"),
        ("sort=up", "sort"),
        ("since=2024-02-29", ""),
        ("since=2023-02-29", "since"),
        ("name=%C3%A9%C3%A9%C3%A9%C3%A9", ""),
        ("name=a+b", ""),
        ("name=a", "name"),
        ("name=%zz", "name"),
        ("name=a%", "name"),
        ("name=%ff%fe", "name"),
        ("name=%C3%28", "name"),
        ("other=%zz", "other"),
        ("%zz=1", "%zz"),
        ("other=%41", ""),
        ("empty=", ""),
        ("empty=5", ""),
        ("empty=x", "empty"),
        ("big=9223372036854775807", ""),
        ("big=9223372036854775808", "big"),
        ("maybe=7", ""),
        ("maybe=8", "maybe"),
        ("maybe=null", "maybe"),
        ("path=/a/b:c", ""),
        ("path=%2Fa", ""),
        ("limit=0&on=x&sort=up", "limit,on,sort"),
    ] {
        assert_eq!(prepared.query(text), refused, "{text}");
    }
}

#[test]
fn lists_and_objects_in_the_query() {
    let ids = |style, explode| parameter(Query, "ids", style, explode, INTEGERS);
    let unique = r#"{"type": "array", "items": {"type": "integer"}, "maxItems": 3, "uniqueItems": true}"#;
    let colours = r#"{"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}}"#;
    let role = r#"{"type": "object", "required": ["role"], "additionalProperties": false, "properties": {
        "role": {"type": "string", "enum": ["admin", "user"]}, "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}}}}"#;
    let where_ = Parameter {
        written: Written::Content("application/json"),
        ..query("where", r#"{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}"#)
    };
    let number = Parameter { written: Written::Content("text/plain"), ..query("n", r#"{"type": "integer"}"#) };
    let either = r#"{"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2}]}"#;
    for (one, good, bad, name) in [
        (
            query("ids", unique),
            &["ids=1", "ids=1&ids=2&ids=3", ""][..],
            &["ids=1&ids=2&ids=3&ids=4", "ids=1&ids=x", "ids=1,2", "ids=5&ids=5", "ids="][..],
            "ids",
        ),
        (
            ids(Style::Form, Explode::No),
            &["ids=1,2", "ids=1", "ids="],
            &["ids=1,b", "ids=1&ids=2", "ids=1%2C2", "ids=1,,2"],
            "ids",
        ),
        (ids(Style::SpaceDelimited, Explode::No), &["ids=1%202", "ids=1+2", "ids=3"], &["ids=1,2", "ids=1+x"], "ids"),
        (ids(Style::SpaceDelimited, Explode::Yes), &["ids=1&ids=2", "ids=1%202"], &["ids=1,2"], "ids"),
        (
            parameter(Query, "ids", Style::PipeDelimited, Explode::No, colours),
            &["ids=red", "ids=red%7Cblue", "ids=red|blue"],
            &["ids=red%7Cpink", "ids=red,blue", "ids=red||blue"],
            "ids",
        ),
        (
            required(parameter(Query, "filter", Style::DeepObject, Explode::Yes, role)),
            &[
                "filter[role]=admin",
                "filter%5Brole%5D=user&filter[age]=3",
                "filter[role]=user&filter[tags]=a&filter[tags]=b",
                "filter[role]=user&other[a][b]=1",
                "filter[role]=user&filter[tags][]=a&filter[tags][]=b",
                "filter[role]=user&filter[tags][1]=b&filter[tags][0]=a",
            ],
            &[
                "filter[role]=root",
                "filter[age]=3",
                "filter[role]=user&filter[age]=-1",
                "filter[role]=user&filter[x]=1",
                "filter[role]=user&filter[role]=user",
                "filter[role]=user&filter[role][x]=1",
                "filter[role]=user&filter[tags][a]=1",
                "filter[role]=user&filter[tags][0]=a&filter[tags][00]=b",
                "filter[role]=user&filter[]x=1",
                "filter[role]=user&filter[role=1",
                "",
                "filter=1",
            ],
            "filter",
        ),
        (query("point", POINT), &["x=1&y=2", "x=1", ""], &["y=2", "x=1&x=2"], "point"),
        (query("point", POINT), &[], &["x=1&y=b"], "y"),
        (
            parameter(Query, "point", Style::Form, Explode::No, POINT),
            &["point=x,1", "point=x,1,y,2"],
            &["point=x", "point=x,1,y", "point=x,a", "point=x,1,z,2", "point=x,1,x,1", "point=", "point=x,1&point=x,1"],
            "point",
        ),
        (
            query("map", r#"{"type": "object", "additionalProperties": {"type": "integer"}}"#),
            &["a=1&b=2"],
            &["a=x"],
            "map",
        ),
        (
            where_,
            &["where=%7B%22a%22%3A1%7D", ""],
            &["where=%7B%22a%22%3A%221%22%7D", "where=%7B%7D", "where=a", "where="],
            "where",
        ),
        (number, &["n=1"], &["n=x"], "n"),
        (query("n", either), &["n=1", "n=1&n=2"], &["n=x", "n=1&n=x"], "n"),
    ] {
        let prepared = prepare(with(vec![one]));
        for text in good {
            assert_eq!(prepared.query(text), "", "{text}");
        }
        for text in bad {
            assert_eq!(prepared.query(text), name, "{text}");
        }
    }
}

#[test]
fn schemas_that_admit_several_kinds() {
    let nullable = r#"{"type": ["array", "null"], "items": {"type": "integer"}}"#;
    let point = r#"{"type": ["object", "null"], "properties": {"x": {"type": "integer"}}}"#;
    // It says nothing about kinds, and is an object all the same.
    let bare = r#"{"properties": {"x": {"type": "integer"}}, "required": ["x"]}"#;
    let either = r#"{"oneOf": [{"type": "integer"}, {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}]}"#;
    let nested = r#"{"type": "object", "properties": {"a": {"type": ["object", "null"], "required": ["x"]}, "b": {"type": "array"}}}"#;
    let list = r#"{"type": "array", "items": {"type": "integer"}}"#;
    let form = |name, schema| parameter(Query, name, Style::Form, Explode::No, schema);
    for (one, good, bad) in [
        (query("v", nullable), &["v=1", "v=1&v=2"][..], &["v=x", "v=1&v=x"][..]),
        (form("v", nullable), &["v=1", "v=1,2", "v=", "v=null"], &["v=x", "v=1,x"]),
        (form("v", point), &["v=x,1", "v=", "v=null"], &["v=x", "v=x,a"]),
        (query("v", bare), &["x=1"], &["x=a"]),
        (form("v", either), &["v=1", "v=x,1"], &["v=x", "v=x,a", "v=y,1"]),
        (
            parameter(Query, "v", Style::DeepObject, Explode::Yes, nested),
            &["v[a]={%22x%22:1}", "v[a]=", "v[a]=null", "v[b]=1&v[b]=2", "v[b]=1"],
            &["v[a]=x", "v[a]=[]", "v[a]={}", "v[a]=1&v[a]=2"],
        ),
        (
            // A number, or bounds of one: both forms are checked.
            required(parameter(Query, "v", Style::DeepObject, Explode::Yes, either)),
            &["v=1", "v[x]=1", "v[x]=1&v[y]=2"],
            &["", "v=x", "v[x]=a", "v[y]=1", "v=1&v[x]=1", "v[x]=1&v[x][y]=1"],
        ),
        (
            required(parameter(Query, "v", Style::DeepObject, Explode::Yes, list)),
            &["v[]=1&v[]=2", "v[0]=1", "v[1]=2&v[0]=1", "v=1", "v=1&v=2"],
            &["", "v[]=x", "v[0]=1&v[1]=x", "v[a]=1", "v[0]=1&v[0]=2", "v=x", "v=1&v[]=2"],
        ),
        (
            parameter(
                Query,
                "v",
                Style::DeepObject,
                Explode::Yes,
                r#"{"type": "object", "properties": {"a": {"type": "array", "items":
                {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}}}"#,
            ),
            &["v[a][0][n]=1&v[a][10][n]=2&v[a][2][n]=3", "v[a][][n]=1", "v[b][c][d]=1"],
            &["v[a][0][n]=x", "v[a][0][m]=1", "v[a][n]=1", "v[a][][n]=1&v[a][][n]=2"],
        ),
    ] {
        let prepared = prepare(with(vec![one]));
        for text in good {
            assert_eq!(prepared.query(text), "", "{text}");
        }
        for text in bad {
            assert_ne!(prepared.query(text), "", "{text}");
        }
    }
}

#[test]
fn the_whole_query() {
    let whole = |media_type, schema| {
        let one = parameter(QueryString, "q", Style::Form, Explode::Yes, schema);
        prepare(with(vec![Parameter { required: true, written: Written::Content(media_type), ..one }]))
    };
    let form = whole(
        "application/x-www-form-urlencoded",
        r#"{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": false}"#,
    );
    for (text, refused) in [("a=1", ""), ("a=x", "q"), ("a=1&b=2", "q"), ("", "q"), ("a=%zz", "q")] {
        assert_eq!(form.query(text), refused, "{text}");
    }
    let json = whole("application/json", r#"{"type": "object", "required": ["a"]}"#);
    for (text, refused) in [("%7B%22a%22:1e+2%7D", ""), ("%7B%7D", "q"), ("a=1", "q"), ("%zz", "q")] {
        assert_eq!(json.query(text), refused, "{text}");
    }
}

#[test]
fn parameters_in_the_path() {
    let three = r#"{"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}"#;
    let two = r#"{"type": "array", "items": {"type": "integer"}, "minItems": 2}"#;
    let loose = r#"{"type": "object", "additionalProperties": false, "properties": {"x": {"type": "integer"}}}"#;
    let path = |style, explode, schema| parameter(Path, "p", style, explode, schema);
    for (one, good, bad) in [
        (path(Style::Simple, Explode::No, three), &["1", "1,2,3", "%31"][..], &["1,2,3,4", "1,x", "a", "1%2C2"][..]),
        (path(Style::Simple, Explode::Yes, POINT), &["x=1", "x=1,y=2"], &["x", "y=1", "x=1,z=1", "x,1"]),
        (path(Style::Label, Explode::Yes, two), &[".3.4"], &[".3", "3.4", ".3.x"]),
        (path(Style::Label, Explode::No, r#"{"type": "string", "pattern": "^[a-z]+$"}"#), &[".ab"], &["ab", ".1", "."]),
        (path(Style::Matrix, Explode::Yes, loose), &[";x=1"], &[";x=1;z=2", ";x=a", "x=1", ";x"]),
        (path(Style::Matrix, Explode::No, INTEGERS), &[";p=1", ";p=1,2", ";p"], &[";q=1", "1", ";p=1;p=2", ";p=x"]),
        (
            path(Style::Simple, Explode::No, r#"{"type": "string", "format": "uuid"}"#),
            &["123e4567-e89b-12d3-a456-426614174000"],
            &["123e4567-e89b-12d3-a456-42661417400"],
        ),
        (
            path(Style::Simple, Explode::No, r#"{"type": "string", "pattern": "^[A-Z]{2}\\d{2}$"}"#),
            &["AB12", "%41B12"],
            &["AB123", "%zz", "%ff"],
        ),
    ] {
        let prepared = prepare(with(vec![one]));
        for text in good {
            assert_eq!(prepared.path(text), "", "{text}");
        }
        for text in bad {
            assert_eq!(prepared.path(text), "p", "{text}");
        }
    }
}

#[test]
fn parameters_in_fields() {
    let four = r#"{"type": "array", "items": {"type": "integer"}, "maxItems": 4}"#;
    let header = |name, explode, schema| parameter(Header, name, Style::Simple, explode, schema);
    let json = Parameter {
        written: Written::Content("application/json"),
        ..header("X", Explode::No, r#"{"type": "object"}"#)
    };
    for (one, good, bad) in [
        (
            header("X", Explode::No, four),
            &[&["1"][..], &["1,2,3"], &["1, 2 ,\t3"], &["1", "2,3"], &["1,,2,"]][..],
            &[&["1,2,3,4,5"][..], &["1,b"], &["1", "x"]][..],
        ),
        (
            header("X", Explode::Yes, POINT),
            &[&["x=1,y=2"], &["x=1", "y=2"]],
            &[&["x=1,z=2"], &["x=a"], &["x,1"], &["x=1", "x=1"]],
        ),
        (header("X", Explode::No, POINT), &[&["x,1"], &["x, 1 , y, 2"]], &[&["x=1"], &["x"], &["y,1"]]),
        (header("X", Explode::No, r#"{"type": "integer", "maximum": 5}"#), &[&[" 5 "]], &[&["6"], &["1", "2"], &["a"]]),
        (header("X", Explode::No, r#"{"type": "string", "maxLength": 5}"#), &[&["a,b"], &["a", "b"]], &[&["ab", "cd"]]),
        (json, &[&["{}"], &["{\"a\":1}"]], &[&["{"], &["[]"]]),
    ] {
        let prepared = prepare(with(vec![one]));
        let lines = |values: &[&'static str]| values.iter().map(|value| ("x", *value)).collect::<Vec<_>>();
        for values in good {
            assert_eq!(prepared.fields(&lines(values)), "", "{values:?}");
        }
        for values in bad {
            assert_eq!(prepared.fields(&lines(values)), "X", "{values:?}");
        }
    }
    let ignored = ["Accept", "content-type", "AUTHORIZATION"];
    let ignored =
        prepare(with(ignored.map(|name| required(header(name, Explode::No, r#"{"type": "integer"}"#))).into()));
    assert!(!ignored.contract.checks_parameters());
    assert_eq!(ignored.fields(&[("Accept", "x")]), "");
    let needed = prepare(with(vec![required(header("X-Ids", Explode::No, four))]));
    assert_eq!(needed.fields(&[]), "X-Ids");
    // CGI and its descendants take them for the same.
    assert_eq!(needed.fields(&[("X-Ids", "1,2,3,4"), ("x_ids", "5")]), "X-Ids");
}

#[test]
fn parameters_in_cookies() {
    let prepared = prepare(with(vec![
        parameter(Cookie, "theme", Style::Form, Explode::Yes, r#"{"type": "string", "enum": ["dark", "li ght"]}"#),
        parameter(Cookie, "n", Style::Form, Explode::Yes, r#"{"type": "integer"}"#),
        parameter(
            Cookie,
            "seen",
            Style::Form,
            Explode::No,
            r#"{"type": "array", "items": {"type": "integer"}, "maxItems": 2}"#,
        ),
        parameter(Cookie, "plain", Style::Cookie, Explode::Yes, r#"{"type": "string", "pattern": "^[a-z%+]+$"}"#),
    ]));
    for (line, refused) in [
        ("theme=dark; other=zz; n=4", ""),
        ("theme=li%20ght", ""),
        ("theme=pink", "theme"),
        ("theme=dark; n=x", "n"),
        ("theme=dark;theme=dark", "theme"),
        ("theme=%zz", "theme"),
        ("other=%zz; ; =", ""),
        ("seen=1,2", ""),
        ("seen=1,2,3", "seen"),
        ("plain=a%zz+", ""),
        ("Theme=pink", ""),
    ] {
        assert_eq!(prepared.fields(&[("cookie", line)]), refused, "{line}");
    }
    assert_eq!(prepared.fields(&[("Cookie", "n=1"), ("Cookie", "n=2")]), "n");
    assert_eq!(prepared.fields(&[("Set-Cookie", "n=x")]), "");
}

#[test]
fn undescribed_parameters() {
    let deep = || {
        parameter(
            Query,
            "f",
            Style::DeepObject,
            Explode::Yes,
            r#"{"type": "object", "properties": {"a": {"type": "string"}}}"#,
        )
    };
    let object =
        || query("o", r#"{"type": "object", "properties": {"p": {"type": "integer"}, "q": {"type": "integer"}}}"#);
    let header = || parameter(Header, "X-A", Style::Simple, Explode::No, r#"{"type": "string"}"#);
    let cookie = || parameter(Cookie, "known", Style::Form, Explode::Yes, r#"{"type": "string"}"#);
    let contract = |mode| Contract {
        parameters: vec![query("a", r#"{"type": "string"}"#), deep(), object(), header(), cookie()].leak(),
        unknown: Unknown {
            query: mode,
            header: mode,
            cookie: mode,
            known: &[(Query, "apikey"), (Header, "X-Api-Key"), (Cookie, "session")],
        },
        ..NOTHING
    };
    let refusing = prepare(contract(Mode::Enforce));
    for (text, refused) in [
        ("a=1&f[a]=1&p=1&q=2&apikey=k", ""),
        ("a=1&b=2", "b"),
        ("o=1", "o"),
        ("f=1", "f"),
        ("g[a]=1", "g[a]"),
        ("b=%zz", "b"),
        ("A=1", "A"),
    ] {
        assert_eq!(refusing.query(text), refused, "{text}");
    }
    let fields = [
        ("x-a", "1"),
        ("X-Forwarded-For", "::1"),
        ("x-request-id", "7"),
        ("X-B", "2"),
        ("x-api-key", "k"),
        ("Accept", "*/*"),
        ("X", ""),
        ("é", ""),
    ];
    assert_eq!(refusing.fields(&fields), "X-B");
    assert_eq!(refusing.fields(&[("Cookie", "known=1; session=2; new=3")]), "new");
    let observing = prepare(contract(Mode::Observe));
    let found = observing.find(Request { query: "strange=1", ..Request::default() });
    assert_eq!((names(&found.refused), names(&found.observed)), (String::new(), "strange".to_owned()));
    assert_eq!(summary(&found.observed), "query strange: is not described");
    assert!(prepare(contract(Mode::Off)).find(Request { query: "strange=1", ..Request::default() }).is_empty());
}

#[test]
fn modes() {
    let one = |mode| prepare(with(vec![Parameter { mode, ..required(query("n", r#"{"type": "integer"}"#)) }]));
    for text in ["", "n=x", "n=%zz", "other=%zz"] {
        let request = Request { query: text, ..Request::default() };
        assert!(one(Mode::Off).find(request).is_empty(), "{text}");
        let found = one(Mode::Observe).find(request);
        assert!(found.refused.is_empty() && !found.observed.is_empty(), "{text}");
    }
    assert!(!one(Mode::Off).contract.checks_parameters());
    assert!(!prepare(NOTHING).contract.checks_parameters());
    assert!(one(Mode::Observe).contract.checks_parameters());
}
