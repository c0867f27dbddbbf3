//! The parts of a gateway that may be left out when it is built: the features of this crate.
//!
//! | feature | what needs it |
//! |---|---|
//! | `acme` | `tls.acme` of listeners |
//! | `compress` | documents that compress responses |
//! | `oauth` | documents with an authorization server, `oauth`, `session`, `admin.key`, and stores in SQLite |
//! | `postgres` | stores in PostgreSQL; it brings `oauth` |
//! | `redis` | limits of documents that are counted in a store, and stores in Redis |
//!
//! A document that needs one that is not there does not compile (`document_needs.rs`); a setting stops the start.

use std::collections::BTreeMap;

use gateway_base::problem::Problem;
use gateway_base::settings::Settings;
use gateway_base::store_settings::{StoreKind, StoreSettings};

/// A part that may be left out.
struct Feature {
    name: &'static str,
    is_built: bool,
    /// How the paths of its settings begin.
    settings: &'static [&'static str],
    stores: &'static [StoreKind],
}

static FEATURES: &[Feature] = &[
    Feature { name: "acme", is_built: cfg!(feature = "acme"), settings: &["listeners.*.tls.acme."], stores: &[] },
    Feature { name: "compress", is_built: cfg!(feature = "compress"), settings: &[], stores: &[] },
    Feature {
        name: "oauth",
        is_built: cfg!(feature = "oauth"),
        settings: &["oauth.", "session.", "admin.key."],
        stores: &[StoreKind::Sqlite],
    },
    Feature { name: "postgres", is_built: cfg!(feature = "postgres"), settings: &[], stores: &[StoreKind::Postgres] },
    Feature { name: "redis", is_built: cfg!(feature = "redis"), settings: &[], stores: &[StoreKind::Redis] },
];

/// Takes the settings among `paths` that need what was left out, and adds a problem for each.
pub(crate) fn refuse_settings(settings: &mut Settings, paths: &[&str]) {
    for feature in FEATURES.iter().filter(|feature| !feature.is_built) {
        let belongs = |path: &&&str| feature.settings.iter().any(|beginning| path.starts_with(beginning));
        for path in paths.iter().filter(belongs) {
            for (names, setting) in settings.take_all(path) {
                let path = names.iter().fold((*path).to_owned(), |path, name| path.replacen('*', name, 1));
                settings.problems.push(Problem::at(&setting.place, without(feature.name, &format!("`{path}`"))));
            }
        }
    }
}

/// A problem for each store whose kind was left out.
pub(crate) fn refuse_stores(settings: &mut Settings, stores: &BTreeMap<String, StoreSettings>) {
    for (name, store) in stores {
        let left_out = FEATURES.iter().find(|feature| !feature.is_built && feature.stores.contains(&store.kind));
        if let Some(feature) = left_out {
            let what = format!("store `{name}` of kind {}", store.kind.name());
            settings.problems.push(Problem::at(&store.place, without(feature.name, &what)));
        }
    }
}

fn without(feature: &str, what: &str) -> String {
    format!("this gateway is built without the feature `{feature}` of gateway-runtime, which {what} needs")
}
