//! The clients and users of authorization servers, and what users allow clients from the beginning.

use std::sync::Arc;
use std::time::Duration;

use gateway_yaml::{Node, Span, suggest};

use super::Reading;
use crate::client_metadata::ClientMetadata;
use crate::clients_and_users::{
    self, AUTH_METHODS, AuthMethod, Client, ClientKeys, ClientSecret, FORMATS, GRANTS, LegacyAssertions,
    RESPONSE_TYPES, ResponseType, Source, User,
};
use crate::names;
use crate::read::credential::{Forms, Found, Members};
use crate::server::{Grant, PkceRequirement};
use crate::stored_password::StoredPassword;
use gateway_base::digest::Digest;

const CLIENT_MEMBERS: &[&str] = &[
    "client_id",
    "name",
    "secret",
    "public",
    "auth_methods",
    "keys",
    "grant_types",
    "response_types",
    "redirect_uris",
    "scopes",
    "default_scopes",
    "pkce",
    "token_format",
    "access_token_ttl",
    "code_ttl",
    "legacy_assertions",
    "client_uri",
    "logo_uri",
];

/// The longest lifetime of a token.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// Reads an element of a section.
type Read = fn(&mut Reading<'_>, &Node);

impl Reading<'_> {
    /// The three sections, in an order in which each finds what it refers to.
    pub(super) fn parties(&mut self, document: &Node) {
        let sections: [(&str, Read); 3] = [
            ("oauthClients", |reading, node| reading.client(node)),
            ("users", |reading, node| reading.user(node)),
            ("permissions", |reading, node| reading.permission(node)),
        ];
        for (name, read) in sections {
            let entry = document.as_mapping().and_then(|sections| sections.entry(name));
            let Some(entry) = entry else { continue };
            if self.source.authorities.is_empty() {
                self.remark(
                    entry.key.span,
                    format!("`{name}` is not used: no document of this gateway has an authorization server"),
                );
                continue;
            }
            match entry.value.as_sequence() {
                Some(items) => items.iter().for_each(|item| read(self, item)),
                None => self.problem(entry.value.span, format!("expected a list, found {}", entry.value.kind_name())),
            }
        }
    }

    fn client(&mut self, node: &Node) {
        let Some(entries) = self.members(node, "a client", CLIENT_MEMBERS) else { return };
        let members = Members { node, entries, optional: false };
        let Some(id) = members.get("client_id") else {
            return self.problem(node.span, "a client needs a `client_id`");
        };
        let id_span = id.span;
        let Some(id) = self.text_of(id, "`client_id`") else { return };
        if let Err(problem) = clients_and_users::check_client_id(id) {
            return self.problem(id_span, problem.to_string());
        }
        if self.found.parties.client(id).is_some() {
            return self.problem(id_span, format!("there are two clients called `{id}`"));
        }
        let text = |reading: &mut Self, name: &str| {
            let found = members.get(name).and_then(|node| reading.text_of(node, &format!("`{name}`")));
            found.map(str::to_owned)
        };
        let public = self.flag(&members, "public");
        let secret = members.get("secret").and_then(|node| self.client_secret(node));
        let keys = members.get("keys").and_then(|node| self.client_keys(node));
        let auth_methods = match members.get("auth_methods") {
            Some(node) => self.words(node, "`auth_methods`", &AUTH_METHODS),
            None => clients_and_users::default_auth_methods(public, members.get("secret").is_some(), keys.is_some()),
        };
        let grants = match members.get("grant_types") {
            Some(node) => self.words(node, "`grant_types`", &GRANTS),
            None => {
                self.problem(node.span, "the client has no `grant_types`; write `grant_types: [authorization_code]`");
                Vec::new()
            }
        };
        let response_types = match members.get("response_types") {
            Some(node) => self.words(node, "`response_types`", &RESPONSE_TYPES),
            None => clients_and_users::default_response_types(&grants),
        };
        let client = Client {
            id: id.to_owned(),
            name: text(self, "name").unwrap_or_else(|| id.to_owned()),
            secret,
            public,
            auth_methods,
            keys,
            grants,
            response_types,
            redirect_uris: self.redirect_uris(&members),
            scopes: self.scopes(&members, "scopes"),
            default_scopes: self.scopes(&members, "default_scopes"),
            pkce: public || self.pkce(&members),
            token_format: members.get("token_format").and_then(|node| self.word(node, "`token_format`", &FORMATS)),
            access_token_ttl: self.lifetime(&members, "access_token_ttl"),
            code_ttl: self.lifetime(&members, "code_ttl"),
            legacy_assertions: members.get("legacy_assertions").and_then(|node| self.legacy_assertions(node, id)),
            source: Source::File,
            metadata: ClientMetadata {
                contacts: Vec::new(),
                texts: ["client_uri", "logo_uri"]
                    .into_iter()
                    .filter_map(|name| Some((name.to_owned(), text(self, name)?)))
                    .collect(),
            },
        };
        self.check_client(&members, &client);
        self.found.parties.add_client(client);
    }

    /// What does not go together, and what no server offers.
    fn check_client(&mut self, members: &Members<'_>, client: &Client) {
        let span = |name: &str| members.get(name).map_or(members.node.span, |node| node.span);
        if client.public {
            if let Some(node) = members.get("secret") {
                self.problem(node.span, "a public client has no `secret`: it could not keep one (RFC 6749 §2.1)");
            }
            for grant in [Grant::ClientCredentials, Grant::Password, Grant::JwtBearer] {
                if client.grants.contains(&grant) {
                    let name = clients_and_users::grant_name(grant);
                    self.problem(span("grant_types"), format!("a public client cannot have the grant `{name}`"));
                }
            }
            if client.auth_methods.iter().any(|method| *method != AuthMethod::None) {
                self.problem(span("auth_methods"), "a public client proves nothing; its `auth_methods` are `[none]`");
            }
            if let Some(node) = members.get("pkce")
                && node.as_text().is_some_and(|text| text == "off" || text == "false")
            {
                self.problem(
                    node.span,
                    "PKCE is mandatory for public clients: an attacker who intercepts a code could redeem it (RFC 9700 §2.1.1) \
                     [GW307]",
                );
            }
        } else {
            for method in &client.auth_methods {
                let name = clients_and_users::auth_method_name(*method);
                let missing = match method {
                    AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::ClientSecretJwt => {
                        members.get("secret").is_none().then_some("`secret: {env: …}`")
                    }
                    AuthMethod::PrivateKeyJwt => members.get("keys").is_none().then_some("`keys: {file: …}`"),
                    AuthMethod::None => Some("`public: true`"),
                };
                if let Some(missing) = missing {
                    self.problem(span("auth_methods"), format!("`{name}` needs {missing}"));
                }
                if *method == AuthMethod::ClientSecretJwt
                    && client.secret.as_ref().is_some_and(|secret| secret.plain().is_none())
                {
                    let message = format!("`{name}` needs the secret itself: {{env: NAME}} or {{file: path}}");
                    self.problem(span("secret"), message);
                }
            }
            if client.auth_methods.is_empty() {
                let message = "the client can prove in no way who it is; write `secret: {env: …}`, or `public: true`";
                self.problem(members.node.span, message);
            }
        }
        for scope in client.default_scopes.iter().filter(|scope| !client.scopes.contains(scope)) {
            self.problem(span("default_scopes"), format!("`{scope}` is not among the client's `scopes`"));
        }
        let redirects = [Grant::AuthorizationCode, Grant::Implicit].iter().any(|grant| client.grants.contains(grant));
        if redirects && client.redirect_uris.is_empty() && members.get("redirect_uris").is_none() {
            let message = format!(
                "the client `{}` has no `redirect_uris`: its authorization requests are refused until it has one",
                client.id
            );
            self.remark(members.node.span, message);
        }
        self.check_against_servers(client, span("grant_types"), span("response_types"), span("scopes"));
    }

    /// A grant or scope of a client that no server offers is most likely a typing error.
    fn check_against_servers(&mut self, client: &Client, grants: Span, response_types: Span, scopes: Span) {
        let servers: Vec<_> = self.source.authorities.iter().map(|authority| authority.server).collect();
        let offers = |grant: Grant| servers.iter().any(|server| server.grants.contains(&grant));
        for grant in client.grants.iter().filter(|grant| !offers(**grant)) {
            let name = clients_and_users::grant_name(*grant);
            self.remark(grants, format!("no authorization server offers the grant `{name}`"));
        }
        if client.response_types.contains(&ResponseType::Token) && !offers(Grant::Implicit) {
            self.remark(response_types, "no authorization server offers the response type `token`");
        }
        let known: Vec<&str> = servers.iter().flat_map(|server| server.scopes.iter().map(|scope| scope.name)).collect();
        for scope in client.scopes.iter().filter(|scope| !known.contains(&scope.as_str())) {
            let hint = suggest(scope, known.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.remark(scopes, format!("no authorization server has the scope `{scope}`{hint}"));
        }
    }

    fn client_secret(&mut self, node: &Node) -> Option<ClientSecret> {
        match self.secret(node, false, Forms::KEY)? {
            Found::Plain(secret) => Some(ClientSecret::of_plain(secret)),
            Found::Sha256(digest) => Some(ClientSecret::of_digest(digest)),
            Found::Argon2id(_) => None,
        }
    }

    fn client_keys(&mut self, node: &Node) -> Option<ClientKeys> {
        let Found::Plain(text) = self.secret(node, false, Forms::SECRET)? else { return None };
        let Ok(written) = std::str::from_utf8(text.expose()) else {
            self.problem(node.span, "the key is neither in PEM nor a JSON Web Key Set [GW603]");
            return None;
        };
        // The command that edits the file may lack the keys.
        if self.source.secrets.pretends {
            return Some(ClientKeys::new(written, None));
        }
        let engine = self.source.authorities.first()?.engine;
        match engine.keys(text.expose()) {
            Ok(ready) => Some(ClientKeys::new(written, Some(ready))),
            Err(problem) => {
                self.problem(node.span, format!("{problem} [GW603]"));
                None
            }
        }
    }

    fn redirect_uris(&mut self, members: &Members<'_>) -> Vec<String> {
        let Some(node) = members.get("redirect_uris") else { return Vec::new() };
        let Some(items) = node.as_sequence() else {
            self.problem(node.span, format!("`redirect_uris` is {}, not a list", node.kind_name()));
            return Vec::new();
        };
        let mut uris = Vec::new();
        for item in items {
            let Some(uri) = self.text_of(item, "a redirect URI") else { continue };
            match names::check_redirect_uri(uri) {
                Ok(()) => uris.push(uri.to_owned()),
                Err(why) => {
                    let uri = uri.escape_default();
                    self.problem(item.span, format!("`{uri}` cannot be a redirect URI: {why} [GW305]"));
                }
            }
        }
        uris
    }

    fn scopes(&mut self, members: &Members<'_>, name: &str) -> Vec<String> {
        let Some(node) = members.get(name) else { return Vec::new() };
        let scopes: Vec<String> = self.texts(node, &format!("`{name}`")).into_iter().map(str::to_owned).collect();
        for scope in scopes.iter().filter(|scope| !clients_and_users::is_scope(scope)) {
            let scope = scope.escape_default();
            self.problem(node.span, format!("`{scope}` is not a scope: visible characters but `\"` and `\\`"));
        }
        scopes
    }

    fn pkce(&mut self, members: &Members<'_>) -> bool {
        let Some(node) = members.get("pkce") else { return false };
        match node.as_text() {
            Some("required" | "true") => true,
            Some("off" | "false") => {
                let everybody = |pkce: &PkceRequirement| *pkce == PkceRequirement::All;
                if self.source.authorities.iter().any(|authority| everybody(&authority.server.pkce)) {
                    let message = "`pkce: off` changes nothing where a server asks for PKCE from all its clients";
                    self.remark(node.span, message);
                }
                false
            }
            _ => {
                self.problem(node.span, "`pkce` is `required` or `off`");
                false
            }
        }
    }

    fn lifetime(&mut self, members: &Members<'_>, name: &str) -> Option<Duration> {
        let node = members.get(name)?;
        let found = self.duration(Some(node), &format!("`{name}`"))?;
        if !(Duration::from_secs(1)..=LONGEST).contains(&found) {
            self.problem(node.span, format!("`{name}` is from 1s to 400d"));
            return None;
        }
        Some(found)
    }

    fn legacy_assertions(&mut self, node: &Node, client: &str) -> Option<LegacyAssertions> {
        let entries = self.members(node, "`legacy_assertions`", &["audiences", "millisecond_times"])?;
        let members = Members { node, entries, optional: false };
        let audiences = members.get("audiences").map(|node| self.texts(node, "`audiences`")).unwrap_or_default();
        let legacy = LegacyAssertions {
            audiences: audiences.into_iter().map(str::to_owned).collect(),
            millisecond_times: self.flag(&members, "millisecond_times"),
        };
        self.remark(
            node.span,
            format!(
                "assertions of the client `{client}` may have a relative audience / millisecond times: what does not name \
                 this server can be replayed elsewhere [GW309]"
            ),
        );
        Some(legacy)
    }

    fn words<T: Copy + PartialEq>(&mut self, node: &Node, what: &str, table: &[(&'static str, T)]) -> Vec<T> {
        let Some(items) = node.as_sequence() else {
            self.problem(node.span, format!("{what} is {}, not a list", node.kind_name()));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items {
            match self.word(item, what, table) {
                Some(value) if found.contains(&value) => {
                    self.problem(item.span, format!("{what} names this twice"));
                }
                Some(value) => found.push(value),
                None => {}
            }
        }
        found
    }

    fn user(&mut self, node: &Node) {
        let Some(entries) = self.members(node, "a user", &["id", "username", "email", "password"]) else { return };
        let members = Members { node, entries, optional: false };
        let Some(name) = members.get("username") else {
            return self.problem(node.span, "a user needs a `username`");
        };
        let Some(username) = self.text_of(name, "`username`") else { return };
        if let Err(problem) = names::check_username(username) {
            return self.problem(name.span, problem);
        }
        if self.found.parties.user_named(username).is_some() {
            return self.problem(name.span, format!("there are two users called `{username}`"));
        }
        let (id, id_span) = match members.get("id") {
            Some(node) => match self.text_of(node, "`id`") {
                Some(id) => (id, node.span),
                None => return,
            },
            None => (username, name.span),
        };
        if let Err(problem) = clients_and_users::check_user_id(id) {
            return self.problem(id_span, problem.to_string());
        }
        if self.found.parties.user(id).is_some() {
            return self.problem(id_span, format!("there are two users with the id `{id}`"));
        }
        let email = match members.get("email") {
            None => None,
            Some(node) => {
                let Some(email) = self.text_of(node, "`email`") else { return };
                if !names::is_email(email) {
                    return self.problem(node.span, format!("`{}` is not an e-mail address", email.escape_default()));
                }
                if let Some(other) = self.found.parties.user_by_login(email) {
                    let other = other.username.clone();
                    return self.problem(node.span, format!("duplicate e-mail address: `{other}` has the same"));
                }
                Some(email.to_owned())
            }
        };
        let Some(password) = members.get("password") else {
            return self.problem(node.span, "the user has no `password`");
        };
        let password = match self.secret(password, false, Forms::PASSWORD) {
            Some(Found::Plain(secret)) => StoredPassword::Digest(Digest::of(secret.expose())),
            Some(Found::Argon2id(hash)) => StoredPassword::Argon2id(hash),
            _ => return,
        };
        let (id, username) = (id.to_owned(), username.to_owned());
        self.found.parties.add_user(User { id, username, email, password, source: Source::File });
    }

    fn permission(&mut self, node: &Node) {
        let Some(entries) = self.members(node, "a permission", &["client", "user", "scopes"]) else { return };
        let members = Members { node, entries, optional: false };
        let (Some(client), Some(user), Some(_)) = (members.get("client"), members.get("user"), members.get("scopes"))
        else {
            return self.problem(node.span, "a permission has a `client`, a `user` and `scopes`");
        };
        let scopes = self.scopes(&members, "scopes");
        let (client_span, user_span) = (client.span, user.span);
        let Some(client) = self.text_of(client, "`client`") else { return };
        let Some(user) = self.text_of(user, "`user`") else { return };
        let parties = &self.found.parties;
        let known_client = parties.client(client).map(Arc::clone);
        let known_user = parties.user_named(user).or_else(|| parties.user(user)).map(|user| user.id.clone());
        let Some(known_client) = known_client else {
            let names: Vec<String> = parties.clients().map(|client| client.id.clone()).collect();
            return self.problem(client_span, unknown_party("client", client, &names));
        };
        let Some(user_id) = known_user else {
            let names: Vec<String> = parties.users().map(|user| user.username.clone()).collect();
            return self.problem(user_span, unknown_party("user", user, &names));
        };
        for scope in scopes.iter().filter(|scope| !known_client.scopes.contains(scope)) {
            self.problem(node.span, format!("`{scope}` is not among the scopes of the client `{client}`"));
        }
        if !self.found.parties.add_permission(client.to_owned(), user_id, scopes) {
            self.problem(node.span, format!("there are two permissions for `{client}` and `{user}`"));
        }
    }
}

fn unknown_party(what: &str, name: &str, known: &[String]) -> String {
    let hint = suggest(name, known.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("this file has no {what} `{}`{hint}", name.escape_default())
}
