//! The parts of a gateway that may be left out when it is built: the features of this crate.
//!
//! | feature | what needs it |
//! |---|---|
//! | `acme` | `tls.acme` of listeners |
//! | `oauth` | documents with an authorization server, `oauth`, `session`, `admin.key`, and stores in SQLite |
//! | `postgres` | stores in PostgreSQL; it brings `oauth` |
//! | `redis` | limits of documents that are counted in a store, and stores in Redis |
//!
//! A document that needs one that is not there does not compile ([`needs!`](crate::needs)); a setting stops the start.

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

/// Generated code says with it what the module of a document needs: the module is compiled where all of these features
/// are there, and a message names the missing one otherwise.
#[macro_export]
macro_rules! needs {
    ($source:literal [] $module:item) => { $module };
    ($source:literal [oauth $(, $more:ident)*] $($module:tt)*) => {
        $crate::__needs_oauth! { $source [$($more),*] $($module)* }
    };
    ($source:literal [redis $(, $more:ident)*] $($module:tt)*) => {
        $crate::__needs_redis! { $source [$($more),*] $($module)* }
    };
}

#[cfg(feature = "oauth")]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_oauth {
    ($($rest:tt)*) => { $crate::needs! { $($rest)* } };
}

#[cfg(not(feature = "oauth"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_oauth {
    ($source:literal $more:tt mod $name:ident $body:tt) => {
        compile_error!(concat!(
            $source,
            " has an authorization server, which needs the feature `oauth` of gateway-runtime: write `features = \
             [\"oauth\"]` beside it in Cargo.toml"
        ));
        mod $name {
            pub(super) static API: $crate::codegen::Api = $crate::codegen::LEFT_OUT;
        }
    };
}

#[cfg(feature = "redis")]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_redis {
    ($($rest:tt)*) => { $crate::needs! { $($rest)* } };
}

#[cfg(not(feature = "redis"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_redis {
    ($source:literal $more:tt mod $name:ident $body:tt) => {
        compile_error!(concat!(
            $source,
            " has a limit that is counted in a store, which needs the feature `redis` of gateway-runtime: write `features = \
             [\"redis\"]` beside it in Cargo.toml"
        ));
        mod $name {
            pub(super) static API: $crate::codegen::Api = $crate::codegen::LEFT_OUT;
        }
    };
}
