//! Charging a request to its limits.

use tokio::time::Instant;

use crate::algorithm::Reading;
use crate::counters::Limits;
use crate::outcome::Outcome;
use crate::rule::{KeyParts, Rule, parts_of};
use crate::shared::Charging;
use crate::table::{Charge, KeyHash};
use gateway_base::address::Address;

impl Limits {
    /// Charges a request to all limits, or to none if one refuses; or says that stores have to be asked.
    pub fn charge<'r>(
        &'static self,
        worker: usize,
        rules: impl Iterator<Item = &'r Rule> + Clone,
        subject: &impl KeyParts,
        now: Instant,
    ) -> Charging {
        let now = self.nanos(now);
        if rules.clone().any(|rule| rule.store.is_some()) {
            return self.charge_shared(worker, rules, subject, now);
        }
        let address = Address::of(subject.address());
        // One limit is the rule, and needs no lists.
        let mut first = rules.clone();
        if let (Some(rule), None) = (first.next(), first.next()) {
            let Some(parts) = parts_of(rule, subject, &address) else {
                return Charging::Done(Outcome::of(self, &[], true, Vec::new()));
            };
            let key = self.hash(rule, &parts);
            let reading = self.table.charge_one(&rule.charge(key), now);
            let is_held = reading.admitted && rule.algorithm.is_held();
            let held = is_held.then(|| (rule.clone(), key)).into_iter().collect();
            return Charging::Done(Outcome::of(self, &[(rule, reading)], reading.admitted, held));
        }
        let keyed: Vec<(&Rule, KeyHash)> =
            rules.filter_map(|rule| Some((rule, self.hash(rule, &parts_of(rule, subject, &address)?)))).collect();
        let charges: Vec<Charge> = keyed.iter().map(|(rule, key)| rule.charge(*key)).collect();
        let mut readings = Vec::with_capacity(charges.len());
        let admitted = self.table.charge(&charges, now, &mut readings);
        let met: Vec<(&Rule, Reading)> = keyed.iter().map(|(rule, _)| *rule).zip(readings).collect();
        let held = keyed.iter().filter(|(rule, _)| admitted && rule.algorithm.is_held());
        let held = held.map(|(rule, key)| ((*rule).clone(), *key)).collect();
        Charging::Done(Outcome::of(self, &met, admitted, held))
    }
}
