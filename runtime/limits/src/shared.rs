//! Limits that a store counts, together with those that this process counts: all are charged, or none.
//!
//! What is here is charged first, so that a request refused here asks no store; when the store refuses, it is taken
//! back, as far as it is still there. In between it is counted too much, never too little.

use std::sync::Arc;

use tokio::time::Instant;

use crate::algorithm::Reading;
use crate::counters::Limits;
use crate::lease::LeaseResult;
use crate::outcome::Outcome;
use crate::rule::{KeyParts, Rule};
use crate::store::{SharedCharge, Store};
use crate::table::{Charge, KeyHash};
use crate::tables::{OnStoreError, StoreMode};
use gateway_base::digest::Digest;

/// The result of a charge.
pub enum Charging {
    /// Every limit is charged, or the request is refused.
    Done(Outcome),
    /// Stores have to be asked first.
    Ask(Box<Pending>),
}

/// A request whose stores have to be asked. Dropped without an answer, it takes back what was charged here.
pub struct Pending {
    limits: &'static Limits,
    worker: usize,
    met: Vec<LimitHit>,
}

/// A limit that a request meets.
struct LimitHit {
    rule: Rule,
    key: KeyHash,
    counter: Counter,
    /// When it was charged here.
    at: u64,
    /// What it says, once that is known.
    reading: Option<Reading>,
}

/// Where a limit is counted for this request.
enum Counter {
    Here,
    /// By what was charged ahead.
    Leased,
    Store {
        key: [u8; 16],
        extra: u64,
    },
    /// Nowhere: the store is silent, and its limit says that this is no reason to refuse.
    Nowhere,
}

impl Limits {
    /// Charges what is counted here, and says whether that was all.
    pub(super) fn charge_shared<'r>(
        &'static self,
        worker: usize,
        rules: impl Iterator<Item = &'r Rule>,
        subject: &impl KeyParts,
        now: u64,
    ) -> Charging {
        let address = gateway_base::address::Address::of(subject.address());
        let met = rules.filter_map(|rule| {
            let parts = crate::rule::parts_of(rule, subject, &address)?;
            let key = self.hash(rule, &parts);
            let mut met = LimitHit { rule: rule.clone(), key, counter: Counter::Here, at: now, reading: None };
            let Some(shared) = &rule.store else { return Some(met) };
            let extra = match shared.mode {
                StoreMode::Exact => 0,
                StoreMode::Fast => match self.leases.take(key, &rule.algorithm, rule.cost, now) {
                    LeaseResult::Ask(extra) => extra,
                    LeaseResult::Known(reading) => {
                        met.reading = Some(reading);
                        met.counter = Counter::Leased;
                        return Some(met);
                    }
                },
            };
            met.counter = Counter::Store { key: shared_key(&shared.identity, &parts), extra };
            Some(met)
        });
        let mut pending = Pending { limits: self, worker, met: met.collect() };
        let is_refused = pending.met.iter().any(LimitHit::refuses) || !pending.charge_here();
        if is_refused {
            return Charging::Done(pending.refuse());
        }
        if pending.met.iter().any(|met| matches!(met.counter, Counter::Store { .. })) {
            return Charging::Ask(Box::new(pending));
        }
        Charging::Done(pending.admit())
    }
}

/// The key of a counter, the same for all gateways.
fn shared_key(identity: &str, parts: &[crate::rule::Part<'_>]) -> [u8; 16] {
    let mut bytes = Vec::with_capacity(128);
    let mut add = |kind: u8, part: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    add(u8::MAX, identity.as_bytes());
    parts.iter().for_each(|part| add(part.kind as u8, &part.bytes));
    let mut key = [0; 16];
    key.copy_from_slice(&Digest::of(&bytes).bytes()[..16]);
    key
}

impl LimitHit {
    fn refuses(&self) -> bool {
        self.reading.is_some_and(|reading| !reading.admitted)
    }

    fn charge(&self) -> Charge {
        self.rule.charge(self.key)
    }
}

impl Pending {
    /// Asks the stores, one after the other, and returns the result for the request.
    pub async fn settle(mut self: Box<Self>) -> Outcome {
        let mut unavailable = false;
        while let Some(store) = self.next_store() {
            unavailable |= !self.ask(&store).await;
            if unavailable || self.met.iter().any(LimitHit::refuses) {
                break;
            }
        }
        if unavailable {
            self.take_back();
            self.met.clear();
            return Outcome::unavailable(self.limits);
        }
        if self.met.iter().any(LimitHit::refuses) || !self.charge_here() {
            return self.refuse();
        }
        self.admit()
    }

    /// A store that has not been asked.
    fn next_store(&self) -> Option<Arc<dyn Store>> {
        let asks = |met: &&LimitHit| matches!(met.counter, Counter::Store { .. }) && met.reading.is_none();
        self.met.iter().find(asks).and_then(|met| met.rule.store.as_ref()).map(|shared| Arc::clone(&shared.store))
    }

    /// Asks one store about all that it counts; false where the request cannot pass without its answer.
    async fn ask(&mut self, store: &Arc<dyn Store>) -> bool {
        let (mut places, mut charges) = (Vec::new(), Vec::new());
        for (place, met) in self.met.iter().enumerate() {
            let (Counter::Store { key, extra }, Some(shared)) = (&met.counter, &met.rule.store) else { continue };
            if Arc::ptr_eq(&shared.store, store) {
                places.push(place);
                charges.push(SharedCharge { key: *key, formula: shared.formula, cost: met.rule.cost, extra: *extra });
            }
        }
        let sent = self.limits.nanos(Instant::now());
        let Ok(charged) = store.charge(self.worker, &charges).await else {
            return places.into_iter().all(|place| self.do_without(place));
        };
        for (place, said) in places.into_iter().zip(charged.readings) {
            let met = &mut self.met[place];
            met.reading = Some(said.0);
            if met.rule.store.as_ref().is_some_and(|shared| shared.mode == StoreMode::Fast) {
                let LimitHit { rule, key, .. } = &*met;
                self.limits.leases.fill(*key, &rule.algorithm, rule.cost, sent, said, charged.admitted);
            }
        }
        true
    }

    /// What a limit says about a store that is silent; false if it refuses.
    fn do_without(&mut self, place: usize) -> bool {
        let met = &mut self.met[place];
        met.counter = match met.rule.store.as_ref().map_or(OnStoreError::Deny, |shared| shared.on_error) {
            OnStoreError::Deny => return false,
            OnStoreError::Allow => Counter::Nowhere,
            OnStoreError::Local => Counter::Here,
        };
        true
    }

    /// Charges all that is counted here and has not been charged, or nothing.
    fn charge_here(&mut self) -> bool {
        let here: Vec<usize> = (0..self.met.len())
            .filter(|place| matches!(self.met[*place].counter, Counter::Here) && self.met[*place].reading.is_none())
            .collect();
        if here.is_empty() {
            return true;
        }
        let charges: Vec<Charge> = here.iter().map(|place| self.met[*place].charge()).collect();
        let mut readings = Vec::new();
        let now = self.limits.nanos(Instant::now());
        let admitted = self.limits.table.charge(&charges, now, &mut readings);
        for (place, reading) in here.into_iter().zip(readings) {
            let met = &mut self.met[place];
            (met.reading, met.at) = (Some(reading), now);
            if !admitted {
                // There is nothing to take back.
                met.counter = Counter::Nowhere;
            }
        }
        admitted
    }

    fn admit(mut self) -> Outcome {
        self.outcome(true)
    }

    fn refuse(mut self) -> Outcome {
        self.take_back();
        self.outcome(false)
    }

    fn outcome(&mut self, admitted: bool) -> Outcome {
        // Nothing is to be taken back from now on.
        let met = std::mem::take(&mut self.met);
        let said: Vec<(&Rule, Reading)> = met.iter().filter_map(|met| Some((&met.rule, met.reading?))).collect();
        let held = met.iter().filter(|met| admitted && met.rule.algorithm.is_held());
        let held = held.map(|met| (met.rule.clone(), met.key)).collect();
        Outcome::of(self.limits, &said, admitted, held)
    }

    /// Takes back what was charged here, so that the fields say what is left.
    fn take_back(&mut self) {
        let now = self.limits.nanos(Instant::now());
        for met in &mut self.met {
            let admits = met.reading.is_some_and(|reading| reading.admitted);
            match met.counter {
                Counter::Here if admits => {
                    let charge = [met.rule.charge(met.key)];
                    self.limits.table.refund(&charge, met.at, now);
                    met.reading = self.limits.table.read(&charge, now).pop();
                }
                Counter::Leased if admits => {
                    self.limits.leases.give_back(met.key, met.rule.cost, now);
                    if let Some(reading) = &mut met.reading {
                        reading.remaining += met.rule.cost;
                    }
                }
                _ => {}
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.take_back();
    }
}
