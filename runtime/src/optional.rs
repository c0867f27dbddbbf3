//! Parts of tables that belong to a feature of this crate, for programs that make tables at run time: nothing where the
//! feature is not built. Generated code names the types themselves ([`codegen`](crate::codegen)).

use gateway_access::builtin::Builtin;
use gateway_access::request_view::CredentialLocation;
use gateway_access::scheme::Scheme;
use gateway_limits::store::StoreClient;
use gateway_parties::server::{AuthorizationServer, Grant};
use gateway_proxy::compression::Coding;
use gateway_terms::compression::ContentCoding;
use gateway_terms::oauth::Endpoint;

/// What speaks to a store of limits: feature `redis`.
#[must_use]
pub fn redis() -> Option<&'static dyn StoreClient> {
    #[cfg(feature = "redis")]
    return Some(&gateway_limits::store::redis::Redis);
    #[cfg(not(feature = "redis"))]
    None
}

/// What encodes content: feature `compress`.
#[must_use]
pub fn coding(coding: ContentCoding) -> Option<&'static dyn Coding> {
    #[cfg(feature = "compress")]
    return Some(match coding {
        ContentCoding::Zstd => &gateway_proxy::compression::zstd::Zstd,
        ContentCoding::Brotli => &gateway_proxy::compression::brotli::Brotli,
        ContentCoding::Gzip => &gateway_proxy::compression::gzip::Gzip,
    });
    #[cfg(not(feature = "compress"))]
    {
        let _ = coding;
        None
    }
}

/// What belongs to an authorization server: feature `oauth`.
#[derive(Debug, Clone, Copy)]
pub struct Oauth(Built);

#[cfg(feature = "oauth")]
type Built = ();

/// There is none.
#[cfg(not(feature = "oauth"))]
type Built = std::convert::Infallible;

impl Oauth {
    /// Where the feature is built.
    #[must_use]
    pub fn built() -> Option<Self> {
        #[cfg(feature = "oauth")]
        return Some(Self(()));
        #[cfg(not(feature = "oauth"))]
        None
    }
}

#[cfg(feature = "oauth")]
mod built {
    use super::{AuthorizationServer, Builtin, CredentialLocation, Endpoint, Grant, Oauth, Scheme};
    use gateway_oauth::tables::{AdminKey, LoginSession, OauthEndpoint, OwnToken, Registry, RegistryAction};

    fn kept<T>(table: T) -> &'static T {
        Box::leak(Box::new(table))
    }

    impl Oauth {
        /// A scheme for access tokens of the gateway's own.
        #[must_use]
        pub fn own_token(
            self,
            name: &'static str,
            server: &'static AuthorizationServer,
            locations: &'static [CredentialLocation],
            realm: &'static str,
        ) -> &'static dyn Scheme {
            kept(OwnToken { name, server, locations, realm })
        }

        /// A scheme for users who have logged in.
        #[must_use]
        pub fn login_session(
            self,
            name: &'static str,
            server: &'static AuthorizationServer,
            cookie: &'static str,
            redirects: bool,
            realm: &'static str,
        ) -> &'static dyn Scheme {
            kept(LoginSession { name, server, cookie, redirects, realm })
        }

        /// A scheme for administrators.
        #[must_use]
        pub fn admin_key(
            self,
            name: &'static str,
            locations: &'static [CredentialLocation],
            realm: &'static str,
        ) -> &'static dyn Scheme {
            kept(AdminKey { name, locations, realm })
        }

        /// An endpoint of a server.
        #[must_use]
        pub fn endpoint(
            self,
            server: &'static AuthorizationServer,
            endpoint: Endpoint,
            grants: &'static [Grant],
        ) -> &'static dyn Builtin {
            kept(OauthEndpoint { server, endpoint, grants })
        }

        /// Registration of clients and users, by the word after `builtin:`; nothing for another word.
        #[must_use]
        pub fn registry(
            self,
            server: &'static AuthorizationServer,
            action: &str,
            parameter: &'static str,
        ) -> Option<&'static dyn Builtin> {
            let action = match action {
                "clients.create" => RegistryAction::CreateClient,
                "clients.list" => RegistryAction::ListClients,
                "clients.delete" => RegistryAction::DeleteClient { parameter },
                "clients.manage" => RegistryAction::ManageClient { parameter },
                "users.create" => RegistryAction::CreateUser,
                _ => return None,
            };
            Some(kept(Registry { server, action }))
        }
    }
}

#[cfg(not(feature = "oauth"))]
mod left_out {
    use super::{AuthorizationServer, Builtin, CredentialLocation, Endpoint, Grant, Oauth, Scheme};

    #[allow(missing_docs, reason = "described where the feature is built")]
    impl Oauth {
        #[must_use]
        pub fn own_token(
            self,
            _: &'static str,
            _: &'static AuthorizationServer,
            _: &'static [CredentialLocation],
            _: &'static str,
        ) -> &'static dyn Scheme {
            match self.0 {}
        }

        #[must_use]
        pub fn login_session(
            self,
            _: &'static str,
            _: &'static AuthorizationServer,
            _: &'static str,
            _: bool,
            _: &'static str,
        ) -> &'static dyn Scheme {
            match self.0 {}
        }

        #[must_use]
        pub fn admin_key(
            self,
            _: &'static str,
            _: &'static [CredentialLocation],
            _: &'static str,
        ) -> &'static dyn Scheme {
            match self.0 {}
        }

        #[must_use]
        pub fn endpoint(
            self,
            _: &'static AuthorizationServer,
            _: Endpoint,
            _: &'static [Grant],
        ) -> &'static dyn Builtin {
            match self.0 {}
        }

        #[must_use]
        pub fn registry(
            self,
            _: &'static AuthorizationServer,
            _: &str,
            _: &'static str,
        ) -> Option<&'static dyn Builtin> {
            match self.0 {}
        }
    }
}
