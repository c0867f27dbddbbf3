//! How generated code says which features of this crate a document needs.

/// Generated code says with it what the module of a document needs: the module is compiled where all of these features
/// are there, and a message names the missing one otherwise.
#[macro_export]
macro_rules! needs {
    ($source:literal [] $module:item) => { $module };
    ($source:literal [compress $(, $more:ident)*] $($module:tt)*) => {
        $crate::__needs_compress! { $source [$($more),*] $($module)* }
    };
    ($source:literal [oauth $(, $more:ident)*] $($module:tt)*) => {
        $crate::__needs_oauth! { $source [$($more),*] $($module)* }
    };
    ($source:literal [redis $(, $more:ident)*] $($module:tt)*) => {
        $crate::__needs_redis! { $source [$($more),*] $($module)* }
    };
}

#[cfg(feature = "compress")]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_compress {
    ($($rest:tt)*) => { $crate::needs! { $($rest)* } };
}

#[cfg(not(feature = "compress"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_compress {
    ($source:literal $more:tt mod $name:ident $body:tt) => {
        compile_error!(concat!(
            $source,
            " compresses responses, which needs the feature `compress` of gateway-runtime: write `features = \
             [\"compress\"]` beside it in Cargo.toml"
        ));
        mod $name {
            pub(super) static API: $crate::codegen::Api = $crate::codegen::LEFT_OUT;
        }
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
