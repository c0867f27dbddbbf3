//! SQLite: one thread owns the connection, and many batches share one flush to the disk.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};

use crate::store::sql::CLEANING;
use crate::store::{schema, sql};
use gateway_base::supervise::{Task, supervise_thread};
use gateway_base::timestamp;
use gateway_parties::database::{Batch, Database, Row, Statement, StatementResult, StoreError, Value, WAITING};

/// Batches in one transaction, at most: while the disk is busy with one, the next one fills.
const TOGETHER: usize = 64;

/// How long other processes are waited for, such as the command line.
const BUSY: Duration = Duration::from_secs(4);

/// A database in a file, or in this process alone.
pub(crate) struct Sqlite {
    batches: SyncSender<Batch>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sqlite")
    }
}

impl Sqlite {
    /// Opens the file, makes it if there is none, and brings its tables up to date; without a file it is all in memory.
    ///
    /// # Errors
    /// The file cannot be used, or its tables are those of a newer gateway.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, StoreError> {
        let mut connection = connect(file)?;
        migrate(&mut connection).map_err(|Failure(error)| error)?;
        let (batches, waiting) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("oauth-store".to_owned())
            .spawn(move || supervise_thread(Task::OauthStore, || serve(&connection, &waiting)))
            .map_err(|error| StoreError::new(format!("no thread can be started: {error}")))?;
        Ok(Self { batches })
    }
}

impl Database for Sqlite {
    fn submit(&self, batch: Batch) -> Result<(), StoreError> {
        self.batches.try_send(batch).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::new("too many wait for it already"),
            TrySendError::Disconnected(_) => StoreError::new("its thread has ended"),
        })
    }
}

fn connect(file: Option<&Path>) -> Result<Connection, StoreError> {
    let problem = |error: rusqlite::Error| StoreError::new(error.to_string());
    let Some(file) = file else { return Connection::open_in_memory().map_err(problem) };
    make(file).map_err(|error| StoreError::new(error.to_string()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(problem)?;
    connection.busy_timeout(BUSY).map_err(problem)?;
    let pragmas = [
        // Readers and the writer do not wait for each other, such as the command line for the gateway.
        ("journal_mode", "WAL"),
        // Not NORMAL, which may lose the last transactions when the power fails: a revoked token would be valid
        // again, and a code that was used once could be used again. Batches that come together share one flush.
        ("synchronous", "FULL"),
    ];
    for (name, value) in pragmas {
        patiently(|| connection.pragma_update(None, name, value)).map_err(problem)?;
    }
    Ok(connection)
}

/// The file holds hashes of passwords, and keys: it is its owner's alone. What SQLite puts beside it is as readable.
fn make(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map(drop)
}

/// For what SQLite itself does not wait for, such as the change to WAL.
fn patiently(mut act: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match act() {
            Err(error) if is_busy(&error) && started.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// One process at a time: the others find the work done.
fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    connection.pragma_update(None, "foreign_keys", true)?;
    // Otherwise values may decide on the plan, and each new value has the statement parsed and planned again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute(schema::CREATE_VERSION, ())?;
    let found: i64 = transaction.query_row(schema::VERSION, (), |row| row.get(0))?;
    for (version, statements) in schema::missing(found.unsigned_abs())? {
        for statement in statements {
            transaction.execute(&statement.replace("BYTEA", "BLOB"), ())?;
        }
        transaction.execute(schema::SET_VERSION, (version.cast_signed(),))?;
    }
    Ok(transaction.commit()?)
}

/// Until no sender is left.
fn serve(connection: &Connection, waiting: &Receiver<Batch>) {
    connection.set_prepared_statement_cache_capacity(128);
    // What a panic has left unfinished; its callers have got an error.
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    let mut cleaning = Instant::now() + CLEANING;
    loop {
        let first = match waiting.recv_timeout(cleaning.saturating_duration_since(Instant::now())) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Some(first) = first {
            let more = waiting.try_iter().take(TOGETHER - 1);
            run(connection, std::iter::once(first).chain(more).filter(Batch::is_awaited).collect());
        }
        if Instant::now() >= cleaning {
            // A few at a time, so that no caller waits for long.
            let is_done = clean(connection).is_ok_and(|removed| removed < sql::REMOVED_AT_ONCE);
            cleaning = Instant::now() + if is_done { CLEANING } else { CLEANING / 60 };
        }
    }
}

/// The most rows that one table lost.
fn clean(connection: &Connection) -> Result<u64, Failure> {
    let mut most = 0;
    for sql in sql::REMOVE_ENDED {
        let statement = Statement::new(sql, [timestamp::now().into()]);
        most = most.max(execute(connection, &statement)?.changed);
    }
    Ok(most)
}

/// Does the batches in one transaction; one that fails leaves nothing behind, and the others stay. No caller gets
/// success before it is on the disk.
fn run(connection: &Connection, batches: Vec<Batch>) {
    let only_reads = batches.iter().all(Batch::only_reads);
    let begun = control(connection, if only_reads { "BEGIN" } else { "BEGIN IMMEDIATE" });
    if let Err(error) = begun {
        return refuse(batches, &Failure::from(error).0);
    }
    let done: Vec<_> = batches
        .into_iter()
        .map(|batch| {
            let answer = all_or_nothing(connection, &batch).map_err(|Failure(error)| error);
            (batch, answer)
        })
        .collect();
    match control(connection, "COMMIT") {
        Ok(()) => done.into_iter().for_each(|(batch, answer)| drop(batch.reply.send(answer))),
        Err(error) => {
            let _ = connection.execute_batch("ROLLBACK");
            refuse(done.into_iter().map(|(batch, _)| batch).collect(), &Failure::from(error).0);
        }
    }
}

fn refuse(batches: Vec<Batch>, error: &StoreError) {
    for batch in batches {
        let _ = batch.reply.send(Err(error.clone()));
    }
}

fn all_or_nothing(connection: &Connection, batch: &Batch) -> Result<Vec<StatementResult>, Failure> {
    // A single statement is atomic.
    if let [statement] = &*batch.statements {
        return Ok(vec![execute(connection, statement)?]);
    }
    control(connection, "SAVEPOINT batch")?;
    let answers: Result<Vec<_>, _> = batch.statements.iter().map(|statement| execute(connection, statement)).collect();
    if answers.is_err() {
        control(connection, "ROLLBACK TO batch")?;
    }
    control(connection, "RELEASE batch")?;
    answers
}

/// Begins or ends something, with a statement that is parsed once.
fn control(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(drop)
}

fn execute(connection: &Connection, statement: &Statement) -> Result<StatementResult, Failure> {
    let mut prepared = connection.prepare_cached(statement.sql)?;
    let columns = prepared.column_count();
    let values = rusqlite::params_from_iter(statement.values.iter().map(Bound));
    if columns == 0 {
        return Ok(StatementResult { rows: Vec::new(), changed: prepared.execute(values)? as u64 });
    }
    let mut answer = StatementResult::default();
    let mut rows = prepared.query(values)?;
    while let Some(row) = rows.next()? {
        let values: rusqlite::Result<Vec<Value>> =
            (0..columns).map(|column| Ok(value_of(row.get_ref(column)?))).collect();
        answer.rows.push(Row(values?));
    }
    Ok(answer)
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}

/// A value of a statement, as SQLite takes it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What went wrong, for those who asked.
struct Failure(StoreError);

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        // SQLite names tables and columns; it does not quote values.
        Self(StoreError::new(format!("SQLite: {error}")))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}
