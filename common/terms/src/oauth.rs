//! What an authorization server can do: its grants, its endpoints, and the choices that it has.

/// What access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFormat {
    /// Random; only this gateway knows what it means.
    Opaque,
    /// A JWT (RFC 9068).
    Jwt,
}

/// Who must use PKCE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PkceRequirement {
    /// Every client.
    All,
    /// Clients without a secret.
    Public,
}

/// A way to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.2; RFC 9700 §2.1.2 advises against it.
    Implicit,
    /// RFC 6749 §4.3; RFC 9700 §2.4 forbids it to new systems.
    Password,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 7523 §2.1.
    JwtBearer,
}

impl Grant {
    /// All there are, in their order.
    pub const ALL: &'static [Self] = &[
        Self::AuthorizationCode,
        Self::Implicit,
        Self::Password,
        Self::ClientCredentials,
        Self::RefreshToken,
        Self::JwtBearer,
    ];

    /// As in documents and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Implicit => "implicit",
            Self::Password => "password",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// Of the flow that OpenAPI describes it by.
    #[must_use]
    pub fn flow(self) -> Option<&'static str> {
        match self {
            Self::AuthorizationCode => Some("authorizationCode"),
            Self::Implicit => Some("implicit"),
            Self::Password => Some("password"),
            Self::ClientCredentials => Some("clientCredentials"),
            Self::RefreshToken | Self::JwtBearer => None,
        }
    }

    /// The endpoints without which no token can be got by it.
    #[must_use]
    pub fn endpoints(self) -> &'static [Endpoint] {
        use Endpoint::{Authorize, Decision, LoginForm, LoginSubmit, Token};
        match self {
            Self::AuthorizationCode => &[Authorize, Decision, LoginForm, LoginSubmit, Token],
            Self::Implicit => &[Authorize, Decision, LoginForm, LoginSubmit],
            Self::Password | Self::ClientCredentials | Self::RefreshToken | Self::JwtBearer => &[Token],
        }
    }
}

/// An endpoint of an authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// RFC 6749 §3.1.
    Authorize,
    /// Where the consent page sends the decision.
    Decision,
    /// RFC 6749 §3.2.
    Token,
    /// RFC 7009.
    Revoke,
    /// RFC 7662.
    Introspect,
    /// RFC 8414.
    Metadata,
    /// RFC 7517 §5.
    Jwks,
    /// Whose token it is.
    Me,
    /// The login page.
    LoginForm,
    /// Where it sends name and password.
    LoginSubmit,
    /// Ends a session.
    Logout,
    /// What a user has allowed.
    Account,
}

impl Endpoint {
    /// All there are.
    pub const ALL: &'static [Self] = &[
        Self::Authorize,
        Self::Decision,
        Self::Token,
        Self::Revoke,
        Self::Introspect,
        Self::Metadata,
        Self::Jwks,
        Self::Me,
        Self::LoginForm,
        Self::LoginSubmit,
        Self::Logout,
        Self::Account,
    ];

    /// The word after `builtin:`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "oauth.authorize",
            Self::Decision => "oauth.decision",
            Self::Token => "oauth.token",
            Self::Revoke => "oauth.revoke",
            Self::Introspect => "oauth.introspect",
            Self::Metadata => "oauth.metadata",
            Self::Jwks => "oauth.jwks",
            Self::Me => "oauth.me",
            Self::LoginForm => "login.form",
            Self::LoginSubmit => "login.submit",
            Self::Logout => "logout",
            Self::Account => "account",
        }
    }

    /// What it gives tokens or codes for.
    #[must_use]
    pub fn grants(self) -> &'static [Grant] {
        use Grant::{AuthorizationCode, ClientCredentials, Implicit, JwtBearer, Password, RefreshToken};
        match self {
            Self::Authorize => &[AuthorizationCode, Implicit],
            Self::Token => &[AuthorizationCode, Password, ClientCredentials, RefreshToken, JwtBearer],
            _ => &[],
        }
    }

    /// The methods that it can have.
    #[must_use]
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Metadata | Self::Jwks | Self::Me | Self::LoginForm => &["GET"],
            Self::Authorize | Self::Account => &["GET", "POST"],
            Self::Decision | Self::Token | Self::Revoke | Self::Introspect | Self::LoginSubmit | Self::Logout => {
                &["POST"]
            }
        }
    }
}
