//! The narrow interface to a database: statements in, rows out, on a thread that is not a request's.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How long a caller waits for an answer. A batch without a waiting caller is not begun.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Batches that may wait; more are refused at once.
pub const WAITING: usize = 1024;

/// Why the store did not do what it was asked: for the log. It quotes no value and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl StoreError {
    /// An error with this message, which must hold no value and no secret.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::error::Error for StoreError {}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A database.
pub trait Database: fmt::Debug + Send + Sync {
    /// Has a batch done, all of it or nothing; the answer comes over the batch's channel.
    ///
    /// # Errors
    /// Too many wait already, or the store has ended.
    fn submit(&self, batch: Batch) -> Result<(), StoreError>;
}

/// Statements that are one transaction.
#[derive(Debug)]
pub struct Batch {
    /// In the order in which they are executed.
    pub statements: Vec<Statement>,
    /// Gets one result for each statement, or why the batch was rolled back.
    pub reply: oneshot::Sender<Result<Vec<StatementResult>, StoreError>>,
    /// When the caller stops waiting; a batch that has not begun by then is dropped.
    pub until: Instant,
}

impl Batch {
    /// A batch and where its answer comes.
    pub fn new(statements: Vec<Statement>) -> (Self, oneshot::Receiver<Result<Vec<StatementResult>, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { statements, reply, until: Instant::now() + ANSWER_TIMEOUT }, answer)
    }

    /// Whether a caller still waits for it.
    pub fn is_awaited(&self) -> bool {
        !self.reply.is_closed() && Instant::now() < self.until
    }

    /// Whether it changes nothing.
    pub fn only_reads(&self) -> bool {
        self.statements.iter().all(|statement| statement.sql.starts_with("SELECT"))
    }
}

/// An SQL statement with its values.
#[derive(Clone)]
pub struct Statement {
    /// The SQL text, with `?1`, `?2` and so on in place of values.
    pub sql: &'static str,
    /// The values, the one of `?1` first.
    pub values: Vec<Value>,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql)
    }
}

impl Statement {
    /// `values` stand for `?1`, `?2` and so on.
    pub fn new<const N: usize>(sql: &'static str, values: [Value; N]) -> Self {
        Self { sql, values: values.into() }
    }
}

/// A value in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL's `NULL`.
    Null,
    /// An integer: a count, seconds since the epoch, or a flag (0 or 1).
    Number(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes (`BLOB` or `BYTEA`), such as a digest.
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

impl From<u64> for Value {
    /// What is too large means for ever, and stays that.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<gateway_base::digest::Digest> for Value {
    fn from(digest: gateway_base::digest::Digest) -> Self {
        Self::Bytes(digest.bytes().to_vec())
    }
}

impl From<&gateway_base::digest::Digest> for Value {
    fn from(digest: &gateway_base::digest::Digest) -> Self {
        Self::from(*digest)
    }
}

/// What one statement gave.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StatementResult {
    /// The rows that it gives; empty for a statement that gives none.
    pub rows: Vec<Row>,
    /// Rows that were added, changed or removed, where the statement gives none back.
    pub changed: u64,
}

/// A row, its values in the order of the statement.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The text in a column.
    ///
    /// # Errors
    /// The column is missing, `NULL`, or not text.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| unexpected(column))
    }

    /// The text in a column; `None` for `NULL`.
    ///
    /// # Errors
    /// The column is missing, or not text.
    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected(column)),
        }
    }

    /// The number in a column.
    ///
    /// # Errors
    /// The column is missing, `NULL`, not a number, or negative.
    pub fn number(&self, column: usize) -> Result<u64, StoreError> {
        match self.0.get(column) {
            Some(Value::Number(number)) => u64::try_from(*number).map_err(|_| unexpected(column)),
            _ => Err(unexpected(column)),
        }
    }

    /// The number in a column; `None` for `NULL`.
    ///
    /// # Errors
    /// The column is missing, not a number, or negative.
    pub fn maybe_number(&self, column: usize) -> Result<Option<u64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.number(column).map(Some),
        }
    }

    /// The flag in a column: `true` for any number but 0.
    ///
    /// # Errors
    /// As [`Row::number`].
    pub fn flag(&self, column: usize) -> Result<bool, StoreError> {
        self.number(column).map(|number| number != 0)
    }

    /// Words separated by blanks, as scopes are.
    pub fn words(&self, column: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.text(column)?.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// As [`Row::words`]; none where there is no text.
    pub fn maybe_words(&self, column: usize) -> Result<Vec<String>, StoreError> {
        let text = self.maybe_text(column)?.unwrap_or_default();
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// The 32 bytes of a key or a digest in a column; `None` for `NULL`.
    ///
    /// # Errors
    /// The column is missing, or not 32 bytes.
    pub fn maybe_key(&self, column: usize) -> Result<Option<[u8; 32]>, StoreError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.key(column).map(Some),
        }
    }

    /// The 32 bytes of a key or a digest in a column.
    ///
    /// # Errors
    /// The column is missing, `NULL`, or not 32 bytes.
    pub fn key(&self, column: usize) -> Result<[u8; 32], StoreError> {
        match self.0.get(column) {
            Some(Value::Bytes(bytes)) => bytes.as_slice().try_into().map_err(|_| unexpected(column)),
            _ => Err(unexpected(column)),
        }
    }
}

fn unexpected(column: usize) -> StoreError {
    StoreError(format!("column {column} of a row is not what this version writes there"))
}
