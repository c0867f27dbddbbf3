//! PostgreSQL: a thread with a runtime of its own and a few connections, which are opened again when they are lost.

pub(crate) mod tls;

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls};

use crate::store::sql::CLEANING;
use crate::store::{schema, sql};
use gateway_base::connector;
use gateway_base::secret::Secret;
use gateway_base::supervise::{Task, supervise};
use gateway_base::{timestamp, trust};
use gateway_parties::database::{Batch, Database, Row, Statement, StatementResult, StoreError, Value, WAITING};
use tls::Rustls;

/// Connections of one gateway, at most.
const CONNECTIONS: usize = 4;

/// For a connection, with TLS and authentication.
const CONNECTING: Duration = Duration::from_secs(3);

/// How often a batch is tried that conflicts with another one.
const TRIES: usize = 4;

/// The gateway that changes the tables holds this lock, so that one does and others find it done.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7453031118027263095)";

const FORM: &str = "its URL is not one such as postgres://user:password@host:5432/database?sslmode=require";

/// A database on a server.
pub(crate) struct Postgres {
    batches: mpsc::Sender<Batch>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects, and brings the tables up to date.
    ///
    /// # Errors
    /// The server cannot be reached, or its tables are those of a newer gateway; the URL is not quoted.
    pub(crate) fn open(url: &Secret, trusted_roots: Option<&Path>) -> Result<Self, StoreError> {
        let connector = Connector::new(url, trusted_roots)?;
        let (batches, waiting) = mpsc::channel(WAITING);
        let weak = batches.downgrade();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::new(format!("no runtime can be started: {error}")))?;
        std::thread::Builder::new()
            .name("oauth-store".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let migrated = migrate(&connector).await;
                    let is_ready = migrated.is_ok();
                    let _ = sender.send(migrated);
                    if is_ready {
                        tokio::spawn(supervise(Task::OauthStore, move || clean(weak.clone())));
                        serve(connector, waiting).await;
                    }
                });
            })
            .map_err(|error| StoreError::new(format!("no thread can be started: {error}")))?;
        receiver.recv().map_err(|_| StoreError::new("its thread has ended"))??;
        Ok(Self { batches })
    }
}

impl Database for Postgres {
    fn submit(&self, batch: Batch) -> Result<(), StoreError> {
        self.batches.try_send(batch).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::new("too many wait for it already"),
            mpsc::error::TrySendError::Closed(_) => StoreError::new("its thread has ended"),
        })
    }
}

/// What it takes to connect.
struct Connector {
    config: Config,
    /// `None` for a server on this machine, and where the deployment wants none.
    tls: Option<Rustls>,
}

impl Connector {
    fn new(url: &Secret, trusted_roots: Option<&Path>) -> Result<Self, StoreError> {
        let url = std::str::from_utf8(url.expose()).map_err(|_| StoreError::new("its URL is not UTF-8"))?;
        // Certificates are always checked, names included: what libpq calls verify-full.
        let url = url.trim().replace("sslmode=verify-full", "sslmode=require");
        let mut config = Config::from_str(&url).map_err(|_| StoreError::new(FORM))?;
        if config.get_hosts().is_empty() {
            return Err(StoreError::new(FORM));
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => false,
            // The connection to another machine must be private.
            SslMode::Prefer => !config.get_hosts().iter().all(is_here),
            _ => true,
        };
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECTING);
        if config.get_application_name().is_none() {
            config.application_name("gateway");
        }
        let tls = if tls {
            let config = trust::config(trusted_roots).map_err(|error| StoreError::new(error.to_string()))?;
            Some(Rustls::new(ClientConfig::clone(&*config)))
        } else {
            None
        };
        Ok(Self { config, tls })
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let client = match (self.only_address(), &self.tls) {
            (Some((host, port)), tls) => self.connect_to(host, port, tls.as_ref()).await?,
            (None, Some(tls)) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            (None, None) => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        // Shorter than any caller waits; and what the statements rely on, whatever the server's default is.
        client
            .batch_execute("SET statement_timeout = 4000; SET default_transaction_isolation = 'read committed'")
            .await?;
        Ok(Connection { client, prepared: HashMap::new() })
    }
}

impl Connector {
    /// The server, where the URL names exactly one by its name. The choice among several servers is the library's.
    fn only_address(&self) -> Option<(&str, u16)> {
        let plain =
            self.config.get_hostaddrs().is_empty() && self.config.get_target_session_attrs() == TargetSessionAttrs::Any;
        match self.config.get_hosts() {
            [Host::Tcp(name)] if plain => Some((name, self.config.get_ports().first().copied().unwrap_or(5432))),
            _ => None,
        }
    }

    async fn connect_to(&self, host: &str, port: u16, tls: Option<&Rustls>) -> Result<Client, Failure> {
        let silent = || StoreError::new("PostgreSQL: no connection is accepted in time");
        let connecting = async {
            let unreachable = |error| StoreError::new(format!("PostgreSQL: it cannot be reached: {error}"));
            let stream = connector::connect(host, port).await.map_err(unreachable)?;
            if self.config.get_keepalives() {
                let keepalive = TcpKeepalive::new().with_time(self.config.get_keepalives_idle());
                // Without it a dead connection is found by the deadline of a batch.
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            }
            Ok::<_, Failure>(match tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect_raw(stream, tls.to_server(host)?).await?;
                    tokio::spawn(connection);
                    client
                }
                None => {
                    let (client, connection) = self.config.connect_raw(stream, NoTls).await?;
                    tokio::spawn(connection);
                    client
                }
            })
        };
        tokio::time::timeout(CONNECTING, connecting).await.unwrap_or_else(|_| Err(silent().into()))
    }
}

/// Whether the connection stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// A connection with what was prepared on it.
struct Connection {
    client: Client,
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
}

impl Connection {
    /// Does all statements, or none.
    async fn run(&mut self, statements: &[Statement]) -> Result<Vec<StatementResult>, Failure> {
        for statement in statements {
            self.prepare(statement.sql).await?;
        }
        if let [statement] = statements {
            return Ok(vec![self.execute(statement).await?]);
        }
        self.client.batch_execute("BEGIN").await.map_err(|error| Failure { has_begun: false, ..error.into() })?;
        // Sent together, and done one after the other: after the first that fails, the server does none.
        let answers = in_turn(statements.iter().map(|statement| self.execute(statement)).collect()).await;
        let answers: Vec<StatementResult> = match answers.into_iter().collect() {
            Ok(answers) => answers,
            Err(failure) => {
                let _ = self.client.batch_execute("ROLLBACK").await;
                return Err(failure);
            }
        };
        self.client.batch_execute("COMMIT").await?;
        Ok(answers)
    }

    async fn prepare(&mut self, sql: &'static str) -> Result<(), Failure> {
        if !self.prepared.contains_key(sql) {
            let prepared = self.client.prepare(&with_dollars(sql)).await;
            let prepared = prepared.map_err(|error| Failure { has_begun: false, ..error.into() })?;
            self.prepared.insert(sql, prepared);
        }
        Ok(())
    }

    /// A statement that is prepared.
    async fn execute(&self, statement: &Statement) -> Result<StatementResult, Failure> {
        let Some(prepared) = self.prepared.get(statement.sql) else {
            return Err(StoreError::new("a statement is not prepared").into());
        };
        let values: Vec<Sent<'_>> = statement.values.iter().map(Sent).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        if prepared.columns().is_empty() {
            return Ok(StatementResult { rows: Vec::new(), changed: self.client.execute(prepared, &values).await? });
        }
        let mut answer = StatementResult::default();
        for row in self.client.query(prepared, &values).await? {
            let values: Result<Vec<Value>, _> =
                (0..row.len()).map(|column| row.try_get(column).map(|Received(value)| value)).collect();
            answer.rows.push(Row(values?));
        }
        Ok(answer)
    }
}

/// Begins all at once, in this order: a connection sends what is begun, and does not wait for the answers in between.
async fn in_turn<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// `?1` as PostgreSQL writes it.
fn with_dollars(sql: &str) -> String {
    sql.replace('?', "$")
}

/// Why a batch was not done.
struct Failure {
    error: StoreError,
    /// Another one got in its way; nothing of it was done.
    is_collision: bool,
    /// Something may have been done of it, where the connection was lost.
    has_begun: bool,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let collisions = [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
        let is_collision = error.code().is_some_and(|code| collisions.contains(&code));
        // The detail of a message may quote values, the message does not.
        let message = match error.as_db_error() {
            Some(error) => format!("{} ({})", error.message(), error.code().code()),
            None => error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
        };
        Self { error: StoreError(format!("PostgreSQL: {message}")), is_collision, has_begun: true }
    }
}

/// One process at a time: the others find the work done.
async fn migrate(connector: &Connector) -> Result<(), StoreError> {
    let mut connection = match tokio::time::timeout(CONNECTING * 2, connector.connect()).await {
        Ok(connected) => connected.map_err(|failure| failure.error)?,
        Err(_) => return Err(StoreError::new("PostgreSQL: it does not answer")),
    };
    let migrated = tables(&mut connection).await;
    migrated.map_err(|failure| failure.error)
}

async fn tables(connection: &mut Connection) -> Result<(), Failure> {
    connection.client.batch_execute("BEGIN; SET LOCAL statement_timeout = 60000").await?;
    connection.client.batch_execute(MIGRATION_LOCK).await?;
    // The right to create tables is not needed once they exist.
    let is_there = connection.client.query_one("SELECT to_regclass('gateway_schema') IS NOT NULL", &[]).await?;
    if !is_there.try_get::<_, bool>(0)? {
        connection.client.batch_execute(schema::CREATE_VERSION).await?;
    }
    let found = connection.run(&[Statement::new(schema::VERSION, [])]).await?;
    let found = found.first().and_then(|answer| answer.rows.first()).map_or(Ok(0), |row| row.number(0))?;
    for (version, statements) in schema::missing(found)? {
        for statement in statements {
            connection.client.batch_execute(statement).await?;
        }
        connection.run(&[Statement::new(schema::SET_VERSION, [version.into()])]).await?;
    }
    connection.client.batch_execute("COMMIT").await?;
    Ok(())
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, is_collision: false, has_begun: true }
    }
}

/// Until no sender is left.
async fn serve(connector: Connector, waiting: mpsc::Receiver<Batch>) {
    let (connector, waiting) = (Arc::new(connector), Arc::new(Mutex::new(waiting)));
    let begin = move || work(Arc::clone(&connector), Arc::clone(&waiting));
    let workers: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(supervise(Task::OauthStore, begin.clone()))).collect();
    for worker in workers {
        let _ = worker.await;
    }
}

async fn work(connector: Arc<Connector>, waiting: Arc<Mutex<mpsc::Receiver<Batch>>>) {
    let mut connection = None;
    loop {
        let batch = waiting.lock().await.recv().await;
        let Some(batch) = batch else { return };
        if !batch.is_awaited() {
            continue;
        }
        let left = batch.until.saturating_duration_since(Instant::now());
        let answer = tokio::time::timeout(left, run(&connector, &mut connection, &batch)).await;
        let answer = answer.unwrap_or_else(|_| {
            // Its state is unknown; the server rolls back what is not finished.
            connection = None;
            Err(StoreError::new("PostgreSQL: it gave no answer in time"))
        });
        let _ = batch.reply.send(answer);
    }
}

/// Does a batch, on a new connection if need be, and again where that cannot do it twice.
async fn run(
    connector: &Connector,
    slot: &mut Option<Connection>,
    batch: &Batch,
) -> Result<Vec<StatementResult>, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut connection = match slot.take() {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => connector.connect().await.map_err(|failure| failure.error)?,
        };
        let answers = connection.run(&batch.statements).await;
        let is_lost = connection.client.is_closed();
        if !is_lost {
            *slot = Some(connection);
        }
        match answers {
            Ok(answers) => return Ok(answers),
            Err(failure) => {
                let is_untouched = failure.is_collision || is_lost && (!failure.has_begun || batch.only_reads());
                if !is_untouched || tries == TRIES {
                    return Err(failure.error);
                }
            }
        }
    }
}

/// Removes what has ended now and then, a few rows at a time.
async fn clean(batches: mpsc::WeakSender<Batch>) {
    let mut pause = CLEANING;
    loop {
        tokio::time::sleep(pause).await;
        pause = CLEANING;
        for sql in sql::REMOVE_ENDED {
            let Some(batches) = batches.upgrade() else { return };
            let (batch, answer) = Batch::new(vec![Statement::new(sql, [timestamp::now().into()])]);
            if batches.try_send(batch).is_err() {
                break;
            }
            drop(batches);
            // What fails is tried again the next time.
            if let Ok(Ok(answers)) = answer.await
                && answers.iter().any(|answer| answer.changed >= sql::REMOVED_AT_ONCE)
            {
                pause = CLEANING / 60;
            }
        }
    }
}

/// A value of a statement, as PostgreSQL takes it.
#[derive(Debug)]
struct Sent<'a>(&'a Value);

impl ToSql for Sent<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Number(number) => number.to_sql(kind, out),
            // PostgreSQL has no text with NUL: a name that has one is unknown.
            Value::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.as_slice().to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a row, as PostgreSQL gives it.
struct Received(Value);

impl<'a> FromSql<'a> for Received {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *kind {
            Type::INT8 => Value::Number(i64::from_sql(kind, raw)?),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            _ => Value::Text(String::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::BYTEA, Type::TEXT].contains(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_databases_need_tls_unless_the_url_turns_it_off() {
        for (url, encrypted) in [
            ("postgres://u:p@localhost/gateway", Some(false)),
            ("postgres://u:p@127.0.0.1:5433/gateway", Some(false)),
            ("postgres:///gateway?host=/run/postgresql", Some(false)),
            ("postgres://u:p@localhost/gateway?sslmode=require", Some(true)),
            ("postgres://u:p@db.example/gateway", Some(true)),
            ("postgres://u:p@db.example/gateway?sslmode=verify-full", Some(true)),
            ("postgres://u:p@db.example/gateway?sslmode=disable", Some(false)),
            ("postgres://", None),
            ("postgres://u:secret@h/x?sslmode=maybe", None),
            ("host=", None),
        ] {
            match Connector::new(&Secret::from(url), None) {
                Ok(connector) => assert_eq!(Some(connector.tls.is_some()), encrypted, "{url}"),
                Err(problem) => {
                    assert!(encrypted.is_none() && !problem.0.contains("secret"), "{url}: {problem}");
                }
            }
        }
    }
}
