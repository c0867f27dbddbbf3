//! Where the credential of a scheme stands.

use crate::ast;
use crate::ir::{Credential, CredentialLocation, IdentityHeaders, Scheme};
use crate::lower::naming::printable;
use crate::lower::scheme::problem::Problem;
use crate::vocabulary::{self, SchemeExtension};

/// A scheme, as far as it does not depend on the kind of its credential.
pub(super) struct Place {
    name: String,
    locations: Vec<CredentialLocation>,
    realm: String,
    forward: bool,
}

impl Place {
    /// The place that the definition names, and those that its `x-gateway` adds.
    pub(super) fn of(
        definition: &ast::SecurityScheme,
        first: CredentialLocation,
        extension: &SchemeExtension,
        identity: &IdentityHeaders,
    ) -> Result<Self, Problem> {
        let name = definition.name.value.clone();
        let also_in = extension.also_in.iter().map(|place| place.value.clone());
        let locations: Vec<_> = std::iter::once(first).chain(also_in).collect();
        check_headers(&locations, identity)?;
        let realm = extension.realm.clone().unwrap_or_else(|| printable(&name));
        Ok(Self { name, locations, realm, forward: extension.forward.unwrap_or(true) })
    }

    /// Whether a credential may be in more than one place.
    pub(super) fn is_one_of_several(&self) -> bool {
        self.locations.len() > 1
    }

    /// The scheme with this kind of credential there.
    pub(super) fn with(self, credential: Credential) -> Scheme {
        let Self { name, locations, realm, forward } = self;
        Scheme { name, locations, realm, forward, credential, failures: None }
    }
}

/// The place of most tokens and of all passwords.
pub(super) fn authorization() -> CredentialLocation {
    CredentialLocation::Header("Authorization".into())
}

/// Headers that mean something else hold no credential.
pub(super) fn check_headers(locations: &[CredentialLocation], identity: &IdentityHeaders) -> Result<(), Problem> {
    for location in locations {
        let CredentialLocation::Header(name) = location else { continue };
        if let Some(problem) = vocabulary::no_place_for_credentials(name, identity) {
            let name = name.escape_debug();
            return Err(Problem::new(format!("its credential cannot stand in the header `{name}`: {problem}")));
        }
    }
    Ok(())
}
