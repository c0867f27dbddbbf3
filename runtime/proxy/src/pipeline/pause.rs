//! Requests that have to wait before their decision: what for, and how they go on.
//!
//! What the steps have found is kept: the operation with its parameters, who may pass, what has been charged. Only
//! the head is parsed again after a wait, without what is checked on receipt: the steps read fields that borrow the
//! inbox, and the inbox grows meanwhile. Ranges of the inbox in place of these fields would have to become a list of fields
//! again, at about the cost of parsing them, and a wrong one would go unnoticed.

use std::pin::Pin;

use gateway_route::{OwnedParams, RequestPath};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::deployment::PreparedOperation;
use crate::pipeline::gather::{self, Content};
use crate::pipeline::record::{Ending, Record};
use crate::pipeline::route::Routed;
use crate::pipeline::stored::Serve;
use gateway_access::authorize::Permit;
use gateway_access::caller::{Question, SchemeId, Verdict};
use gateway_access::failed_authentication::Attempts;
use gateway_limits::shared::Pending;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::downstream::Downstream;
use gateway_wire::reject::Reject;

/// What a request waits for.
pub(crate) enum Pause {
    /// A scheme has to know this before it decides.
    Ask(SchemeId, Question),
    /// The operation has to see the content before it answers, or it is to be checked.
    Content {
        /// In bytes.
        limit: u64,
        /// The request goes on with one that is larger, or slow, or for which there is no memory.
        is_lenient: bool,
    },
    /// The operation answers after long work.
    Work(Pin<Box<dyn Future<Output = OwnAnswer>>>),
    /// Stores have to count it.
    Count(Box<Pending>),
}

/// How far a request has come. Its data is what the next step takes.
pub(crate) enum Stage {
    /// Its operation is known. With the credentials that are being checked, where wrong ones are counted.
    Routed(Attempts),
    /// It is known who calls.
    Permitted(Permit),
    /// Its limits are charged, and admit it.
    Charged(Permit),
    /// Its parameters are as described.
    Described(Permit),
    /// So is its body.
    Checked(Permit),
}

/// Why no further step is taken with a request now.
pub(crate) enum Stop {
    End(Ending),
    /// It is answered with what is stored.
    Stored(Box<Serve>),
    /// It has to wait, and goes on from its step.
    Pause(Box<Paused>),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::End(Ending::Reject(reject))
    }
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Self {
        Self::End(ending)
    }
}

/// What was found out about a request while it waited.
#[derive(Default)]
pub(crate) struct Answers {
    /// What schemes decided after long work.
    pub(crate) verdicts: Vec<(SchemeId, Verdict)>,
    /// The content, where a scheme or the operation had to see it.
    pub(crate) content: Option<Content>,
}

/// A request that waits.
pub(crate) struct Paused {
    pub(crate) pause: Pause,
    /// Where it goes on.
    pub(crate) stage: Stage,
    pub(crate) route: OwnedRoute,
}

impl Paused {
    pub(crate) fn new(pause: Pause, stage: Stage, routed: &Routed<'_>) -> Self {
        Self { pause, stage, route: OwnedRoute::of(routed) }
    }
}

/// [`Routed`] that borrows nothing.
pub(crate) struct OwnedRoute {
    operation: &'static PreparedOperation,
    params: Option<OwnedParams>,
    path: RequestPath<'static>,
    query: Option<String>,
}

impl OwnedRoute {
    fn of(routed: &Routed<'_>) -> Self {
        Self {
            operation: routed.operation,
            params: routed.params.as_ref().map(|params| params.detach()),
            path: routed.path.clone().into_owned(),
            query: routed.query.map(str::to_owned),
        }
    }

    /// The route as found.
    pub(crate) fn routed(&self) -> Routed<'_> {
        Routed {
            operation: self.operation,
            params: self.params.as_ref().map(OwnedParams::params),
            path: &self.path,
            query: self.query.as_deref(),
        }
    }
}

impl Answers {
    /// Waits until this is known.
    ///
    /// # Errors
    /// What is wrong with the body, or with what is counted; what the operation answers.
    pub(crate) async fn wait_for<S>(
        &mut self,
        pause: Pause,
        down: &mut Downstream<S>,
        record: &mut Record<'_>,
    ) -> Result<(), Ending>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match pause {
            Pause::Ask(scheme, Question::Work(work)) => self.verdicts.push((scheme, work.await)),
            Pause::Ask(_, Question::Body { limit }) => self.receive(limit, false, down, record).await?,
            Pause::Content { limit, is_lenient } => self.receive(limit, is_lenient, down, record).await?,
            Pause::Work(work) => return Err(Ending::Answer(Box::new(work.await))),
            Pause::Count(pending) => record.note_limits(pending.settle().await)?,
        }
        Ok(())
    }

    /// Receives the content of the request.
    ///
    /// # Errors
    /// What is wrong with it.
    async fn receive<S>(
        &mut self,
        limit: u64,
        is_lenient: bool,
        down: &mut Downstream<S>,
        record: &mut Record<'_>,
    ) -> Result<(), Reject>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(content) = &self.content {
            // A scheme or builtin that has seen the body and asks again would ask for ever.
            let is_larger = content.bytes(&down.inbox).is_none_or(|bytes| bytes.len() as u64 > limit);
            return Err(if is_larger { Reject::BodyTooLarge } else { Reject::CredentialsUnavailable });
        }
        let terms = gather::GatherTerms {
            head_length: record.head.length(),
            body: record.facts.body,
            expects_continue: record.facts.expects_continue,
            limit: record.operation.map_or(limit, |operation| limit.min(operation.prepared.table.max_body.0)),
            is_lenient,
        };
        let content = gather::content(down, &terms, record.body_memory.as_mut()).await?;
        if matches!(content, Content::NotWhole) {
            record.body_memory = None;
        }
        self.content = Some(content);
        // The client has begun to send; forwarding has nothing to wait for.
        record.facts.expects_continue = false;
        Ok(())
    }
}
