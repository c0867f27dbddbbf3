//! `gateway dev` serves the tables that rustc would have compiled: the same values in the same order, whatever a document
//! can say.

use std::collections::HashMap;
use std::path::Path;

use gateway_runtime::codegen::{Api, Gateway};
use gatewayc::source::SourceSet;

#[allow(dead_code, reason = "only its tables are compared")]
mod everything {
    include!("../../../gatewayc/tests/golden/everything.rs");
}

#[allow(dead_code, reason = "only its tables are compared")]
mod oauth {
    include!("../../../gatewayc/tests/golden/oauth.rs");
}

#[allow(dead_code, reason = "only its tables are compared")]
mod public {
    include!("../../../gatewayc/tests/golden/public.rs");
}

/// The tables of documents, made at run time.
fn interpreted(mut sources: SourceSet<'_>) -> &'static Gateway {
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors());
    gateway_dev::tables::gateway(&checked.gateway).expect("every feature is built")
}

fn assert_same(compiled: &Api, interpreted: &Api) {
    let (compiled, interpreted) = (format!("{compiled:#?}"), format!("{interpreted:#?}"));
    for (number, (compiled, interpreted)) in compiled.lines().zip(interpreted.lines()).enumerate() {
        assert_eq!(compiled, interpreted, "line {number}");
    }
    assert_eq!(compiled.len(), interpreted.len());
}

#[test]
fn the_documents_of_this_gateway() {
    let interpreted = interpreted(gatewayc::build_script::open(Path::new("specs")).expect("a folder of documents"));
    assert_eq!(interpreted.apis.len(), gateway_tests::GATEWAY.apis.len());
    for (compiled, interpreted) in gateway_tests::GATEWAY.apis.iter().zip(interpreted.apis) {
        assert_same(compiled, interpreted);
    }
}

#[test]
fn everything_that_a_document_can_say() {
    for compiled in [&everything::API, &oauth::API, &public::API] {
        let document = format!("{}.yaml", compiled.name);
        let text =
            std::fs::read_to_string(Path::new("../../gatewayc/tests/golden").join(&document)).expect("a document");
        let mut sources = SourceSet::new(HashMap::from([(document.clone(), text)]), "specs/");
        sources.add_document(&document);
        assert_same(compiled, interpreted(sources).apis[0]);
    }
}
