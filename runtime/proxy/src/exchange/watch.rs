//! A response that is compared with its description while it comes.
//!
//! Where a response that is not as described is refused, nothing of it goes to the client before all of it is there: its
//! bytes are held as they came, and are read again when they may pass. Where it is only observed, it streams, and its content
//! is copied.

use crate::body_memory::{BodyMemory, Taken};
use crate::deployment::OperationContract;
use gateway_contract::body::BodyCheck;
use gateway_contract::finding::{Finding, MOST_FINDINGS, summary};
use gateway_contract::response::ResponseHead;
use gateway_contract::tables::Mode;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::chunked::{Decoder, Step};
use gateway_wire::http1::head::Field;
use gateway_wire::reject::{NotAsDescribed, Reject};

/// Partial Content: what is there is not the whole (RFC 9110 §15.3.7).
const PARTIAL: u16 = 206;

/// Compares one response.
pub(crate) struct Watch {
    contract: &'static OperationContract,
    memory: &'static BodyMemory,
    /// The check of the content, once the head is there, and with the memory that the content takes.
    check: Option<(BodyCheck<'static>, Taken)>,
    /// The content so far, where the response streams.
    copied: Vec<u8>,
    /// What is not as described.
    pub(crate) findings: Vec<Finding>,
}

/// What becomes of a response whose head is there.
pub(super) enum Begun {
    /// It goes to the client.
    Passes,
    /// It is held until its content is there.
    Held,
}

impl Watch {
    /// Compares a response of an operation, if any are.
    pub(crate) fn new(contract: Option<&'static OperationContract>, memory: &'static BodyMemory) -> Option<Self> {
        let contract = contract.filter(|contract| contract.described.response_mode() != Mode::Off)?;
        Some(Self { contract, memory, check: None, copied: Vec::new(), findings: Vec::new() })
    }

    fn enforces(&self) -> bool {
        self.contract.described.response_mode() == Mode::Enforce
    }

    fn limit(&self) -> u64 {
        self.contract.described.response_max().map_or(0, |max| max.0)
    }

    /// Compares the head.
    ///
    /// # Errors
    /// 502 for one that is not as described, 503 where too many bodies are held already.
    pub(super) fn begin(
        &mut self,
        status: u16,
        fields: &[Field<'_>],
        length: BodyLength,
        to_head: bool,
    ) -> Result<Begun, Reject> {
        let is_always_empty = to_head || matches!(status, 204 | 205 | 304);
        let head = ResponseHead {
            status,
            fields: fields.iter().map(|field| (field.name, field.value)),
            is_empty: matches!(length, BodyLength::None | BodyLength::Exactly(0)),
            is_always_empty,
        };
        let checked = self.contract.described.check_response(&self.contract.schemas, &head);
        self.note(checked.findings)?;
        let Some(check) = checked.content.filter(|_| status != PARTIAL) else { return Ok(Begun::Passes) };
        let bytes = match length {
            // A larger content is not checked.
            BodyLength::Exactly(length) if length > self.limit() => return Ok(Begun::Passes),
            BodyLength::Exactly(length) => length,
            _ => self.limit(),
        };
        match self.memory.take(bytes) {
            Some(taken) => self.check = Some((check, taken)),
            None if self.enforces() => return Err(Reject::BodyMemory),
            None => {}
        }
        Ok(if self.check.is_some() && self.enforces() { Begun::Held } else { Begun::Passes })
    }

    /// Copies content that goes to the client.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        if self.check.is_none() {
            return;
        }
        if (self.copied.len() + bytes.len()) as u64 > self.limit() {
            self.check = None;
            self.copied = Vec::new();
        } else {
            self.copied.extend_from_slice(bytes);
        }
    }

    /// Compares the content that went to the client.
    pub(super) fn end(&mut self) {
        let content = std::mem::take(&mut self.copied);
        // A response that streams is never refused.
        let _ = self.conclude(&content);
    }

    /// Compares the content.
    fn conclude(&mut self, content: &[u8]) -> Result<(), Reject> {
        let Some((check, _)) = self.check.take() else { return Ok(()) };
        let result = check.check(&self.contract.schemas, content);
        self.note(result.findings())
    }

    fn note(&mut self, findings: Vec<Finding>) -> Result<(), Reject> {
        self.findings.extend(findings);
        self.findings.truncate(MOST_FINDINGS);
        if self.findings.is_empty() || !self.enforces() {
            return Ok(());
        }
        let detail = summary(&self.findings);
        let refused = NotAsDescribed { status: 502, message: "".into(), errors: Vec::new(), detail };
        Err(Reject::InvalidResponse(Box::new(refused)))
    }
}

/// A response that is held.
pub(crate) struct Held {
    /// As it came, from the first byte of its head.
    raw: Vec<u8>,
    /// Up to here it has been read.
    at: usize,
    length: BodyLength,
    decoder: Decoder,
    /// Without the chunked coding.
    content: Vec<u8>,
}

impl Held {
    /// A response of which this has come so far; its head has `head` bytes.
    pub(super) fn new(raw: &[u8], head: usize, length: BodyLength) -> Self {
        Self { raw: raw.to_vec(), at: head, length, decoder: Decoder::default(), content: Vec::new() }
    }

    /// How much has come.
    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Adds what has come; says whether there is nothing more to wait for. It `ends` where the upstream has closed.
    ///
    /// # Errors
    /// 502 for a response that is not as described, or not in the chunked coding.
    pub(super) fn add(&mut self, bytes: &[u8], ends: bool, watch: &mut Watch) -> Result<bool, Reject> {
        self.raw.extend_from_slice(bytes);
        let is_whole = match self.length {
            BodyLength::None => true,
            BodyLength::Exactly(length) => {
                let rest = self.raw.get(self.at..).unwrap_or_default();
                let missing = length.saturating_sub(self.content.len() as u64);
                let take = rest.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                self.content.extend_from_slice(&rest[..take]);
                self.at += take;
                self.content.len() as u64 >= length
            }
            BodyLength::Chunked => self.decode()?,
            BodyLength::UntilClose => {
                self.content.extend_from_slice(self.raw.get(self.at..).unwrap_or_default());
                self.at = self.raw.len();
                ends
            }
        };
        if self.content.len() as u64 > watch.limit() {
            return Ok(true); // A larger content is not checked.
        }
        if is_whole {
            watch.conclude(&self.content)?;
        }
        Ok(is_whole)
    }

    fn decode(&mut self) -> Result<bool, Reject> {
        loop {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            match self.decoder.step(rest) {
                Err(_) => {
                    return Err(Reject::UpstreamBroken("the body is not in the chunked coding"));
                }
                Ok(Step::NeedMore) => return Ok(false),
                Ok(Step::Framing(count)) => self.at += count,
                Ok(Step::Data(count)) => {
                    self.content.extend_from_slice(&rest[..count]);
                    self.at += count;
                }
                Ok(Step::End(_)) => return Ok(true),
            }
        }
    }

    /// The response as it came.
    pub(super) fn into_raw(self) -> Vec<u8> {
        self.raw
    }
}
