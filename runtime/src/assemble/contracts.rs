//! What requests and responses are checked for, with all schemas prepared: once for each API, whatever listeners serve it.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_base::problem::Problem;
use gateway_contract::prepared::PreparedContract;
use gateway_proxy::deployment::OperationContract;
use gateway_proxy::tables::{Api, Gateway, Operation};
use gateway_schema::schemas::Schemas;

/// The contracts of all operations that have one, by the place of their table.
pub(crate) struct Contracts(HashMap<*const Operation, Arc<OperationContract>>);

impl Contracts {
    /// Prepares all contracts. A schema that cannot be read is a problem: the compiler would not have written it.
    pub(crate) fn new(gateway: &'static Gateway, problems: &mut Vec<Problem>) -> Self {
        let mut contracts = Self(HashMap::new());
        for api in gateway.apis {
            if let Err(error) = contracts.add(api) {
                problems.push(Problem::plain(format!("{}: {error}", api.source)));
            }
        }
        contracts
    }

    fn add(&mut self, api: &'static Api) -> Result<(), gateway_schema::schemas::SchemaError> {
        let mut schemas = Schemas::new(api.schemas.iter().map(|named| (named.name, named.schema)))?;
        let mut prepared = Vec::new();
        for operation in api.operations() {
            let described = PreparedContract::new(&operation.contract, &mut schemas)?;
            if described.checks_anything() {
                prepared.push((operation, described));
            }
        }
        let schemas = Arc::new(schemas);
        let contracts = prepared.into_iter().map(|(operation, described)| {
            let contract = OperationContract { described, schemas: Arc::clone(&schemas) };
            (std::ptr::from_ref(operation), Arc::new(contract))
        });
        self.0.extend(contracts);
        Ok(())
    }

    /// The contract of an operation.
    pub(crate) fn of(&self, operation: &'static Operation) -> Option<Arc<OperationContract>> {
        self.0.get(&std::ptr::from_ref(operation)).cloned()
    }
}
