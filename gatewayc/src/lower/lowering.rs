//! What is known of a document while it is lowered.

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::ast;
use crate::diagnostic::{Acceptance, Diagnostics};
use crate::ir::AcceptedRisk;
use crate::lower::checked_schemas::CheckedSchemas;
use crate::lower::limits::Limits;
use crate::lower::located::{Located, Registration};
use crate::lower::risks;
use crate::lower::security::Schemes;
use crate::lower::static_files::Shelf;
use crate::lower::upstreams::Upstreams;
use crate::vocabulary::{self, Root};

/// One document.
pub(super) struct Lowering<'a> {
    pub(super) document: &'a ast::Document,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) root: Root,
    pub(super) schemes: Schemes<'a>,
    pub(super) upstreams: Upstreams,
    pub(super) limits: Limits,
    pub(super) risks: Vec<AcceptedRisk>,
    /// What operations serve of the files beside the document.
    pub(super) shelf: Shelf<'a>,
    /// For each `operationId`, the first of those that have it, by path and method.
    pub(super) first_of_name: BTreeMap<&'a str, Span>,
    /// The operations that are endpoints of the authorization server.
    pub(super) endpoints: Vec<Located>,
    /// The operations that register clients, by the protocol for that.
    pub(super) registrations: Vec<Registration>,
    /// What one of the operations answers is unknown, which has been reported.
    pub(super) builtins_are_unread: bool,
    /// The schemas that requests and responses are checked against.
    pub(super) checked: CheckedSchemas<'a>,
}

impl Lowering<'_> {
    /// Notes the risks that are accepted at `what`, which is described in `scope`.
    pub(super) fn accept(&mut self, accepted: Vec<vocabulary::AcceptedRisk>, what: &str, scope: Vec<Span>) {
        for vocabulary::AcceptedRisk { code, reason, at } in accepted {
            let acceptance = Acceptance { code, scope: scope.clone(), what: what.to_owned(), reason, at };
            risks::accept(self.diagnostics, acceptance, &mut self.risks);
        }
    }

    /// The `operationId` of an operation, unless another one has it before.
    pub(super) fn own_name<'n>(&self, operation: &'n ast::Operation) -> Option<&'n str> {
        let id = operation.operation_id.as_ref()?;
        let is_first = self.first_of_name.get(id.value.as_str()).is_none_or(|first| *first == id.span);
        is_first.then_some(id.value.as_str())
    }
}
