//! Which parameter a name in a query belongs to.

use std::collections::HashMap;

use gateway_schema::schemas::Kinds;

use crate::parameter::Parameter;
use crate::tables::{ParameterLocation, Style, Written};

/// What a name in a query stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A parameter, by its place in the list.
    Parameter(usize),
    /// A member of an exploded object, which is this parameter.
    Member(usize),
    /// Something that is no parameter and known all the same.
    Known,
}

/// The names that an operation knows.
#[derive(Debug, Default)]
pub(crate) struct QueryNames {
    names: HashMap<Box<str>, Target>,
    /// Parameters whose members or items are written as `name[member]`.
    deep: HashMap<Box<str>, usize>,
    /// An object without described members, whose members are all names that are not described.
    pub(crate) rest: Option<usize>,
    /// The parameter that is the whole query.
    pub(crate) whole: Option<usize>,
}

impl QueryNames {
    pub(crate) fn new(parameters: &[Parameter], known: &[(ParameterLocation, &str)]) -> Self {
        let mut all = Self::default();
        for (location, name) in known {
            if *location == ParameterLocation::Query {
                all.names.insert((*name).into(), Target::Known);
            }
        }
        let of = |location| parameters.iter().enumerate().filter(move |(_, one)| one.table.location == location);
        all.whole = of(ParameterLocation::QueryString).next().map(|(index, _)| index);
        for (index, parameter) in of(ParameterLocation::Query) {
            if parameter.may_be_spread {
                for member in &parameter.members {
                    all.names.insert(member.clone(), Target::Member(index));
                }
                if parameter.members.is_empty() {
                    all.rest = Some(index);
                }
            }
        }
        // A parameter of its own goes before a member of the same name.
        for (index, parameter) in of(ParameterLocation::Query) {
            let name = parameter.table.name;
            let is_deep = matches!(parameter.table.written, Written::As(Style::DeepObject, _));
            if is_deep {
                all.deep.insert(name.into(), index);
            }
            // What is not only an object may stand there without brackets as well.
            if !parameter.is_always_spread() && (!is_deep || parameter.kinds != Kinds::OBJECT) {
                all.names.insert(name.into(), Target::Parameter(index));
            }
        }
        all
    }

    /// What a name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<Target> {
        self.names.get(name).copied()
    }

    /// The parameter that a name with brackets belongs to, and what follows its own name: `[a]`, or `[a][b]`.
    pub(crate) fn deep<'n>(&self, name: &'n str) -> Option<(usize, &'n str)> {
        if self.deep.is_empty() {
            return None;
        }
        let (own, members) = name.split_at_checked(name.find('[')?)?;
        self.deep.get(own).map(|index| (*index, members))
    }
}
