//! Certificates from an authority that issues them automatically: ACME (RFC 8555), proven with TLS-ALPN-01 (RFC 8737).
//!
//! The account and the certificates are files of a folder. The listener reads the certificate from there like any other,
//! and again when it changes: what is done here is to write it in time.

pub(crate) mod client;

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::JoinSet;

use crate::Tls;
use crate::challenge::{Challenges, proof};
use crate::settings::AcmeSettings;
use client::Client;
use gateway_base::error;
use gateway_base::supervise::{Task, supervise};
use gateway_base::timestamp;
use gateway_base::trust;
use gateway_wire::certificate::Certificate;

/// How often the certificate's age is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(3600);

/// After a failure, doubled each time up to [`CHECK_INTERVAL`]: authorities count failures.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// For the authority to look at the proof, and to issue.
const ORDER_TIMEOUT: Duration = Duration::from_secs(120);

/// One certificate to be kept fresh.
struct Keeper {
    settings: AcmeSettings,
    /// Of the settings, in full.
    folder: PathBuf,
    trusted_roots: Option<PathBuf>,
    challenges: Arc<Challenges>,
}

/// Why there is no new certificate.
struct AcmeError(String);

impl AcmeError {
    fn with(what: &str) -> impl FnOnce(instant_acme::Error) -> Self + '_ {
        move |error| Self(format!("{what}: {error}"))
    }

    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for AcmeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keeps the certificates of all listeners fresh that get theirs so; runs until it is dropped.
pub async fn tend(listeners: Vec<(&'static str, &'static Tls)>, trusted_roots: Option<PathBuf>, base: PathBuf) {
    // They end with this function's future.
    let mut keepers = JoinSet::new();
    for (_, tls) in listeners {
        let Some((settings, challenges)) = tls.acme() else { continue };
        let keeper = Arc::new(Keeper {
            folder: base.join(&settings.folder),
            settings: settings.clone(),
            trusted_roots: trusted_roots.clone(),
            challenges: Arc::clone(challenges),
        });
        keepers.spawn(supervise(Task::Acme, move || Arc::clone(&keeper).run()));
    }
    while keepers.join_next().await.is_some() {}
}

impl Keeper {
    async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let next = match self.keep().await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    CHECK_INTERVAL
                }
                Err(error) => {
                    let next = pause;
                    pause = (pause * 2).min(CHECK_INTERVAL);
                    error!(
                        "ACME",
                        "order for {} at {} failed: {error}; retrying in {} s",
                        self.settings.domains.join(", "),
                        self.settings.directory,
                        next.as_secs()
                    );
                    next
                }
            };
            tokio::time::sleep(next).await;
        }
    }

    /// Gets a certificate if one is due.
    async fn keep(&self) -> Result<(), AcmeError> {
        if !is_due(&self.folder.join(self.settings.certificate_file())) {
            return Ok(());
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(AcmeError::of(&self.folder))?;
        // Gateways that share the folder ask once: the others read what the one gets.
        let lock = self.folder.join("lock");
        let locked = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let locked = locked.map_err(AcmeError::of(&lock))?;
        match locked.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AcmeError("another process is asking for it".to_owned())),
            Err(TryLockError::Error(error)) => return Err(AcmeError::of(&lock)(error)),
        }
        let (certificate, key) = self.order().await?;
        // The key first: the listener waits until both fit.
        write_private(&self.folder.join(self.settings.key_file()), key.as_bytes())?;
        write_private(&self.folder.join(self.settings.certificate_file()), certificate.as_bytes())
    }

    /// Proves that the domains lead here, and has a certificate issued: the chain and its key, in PEM.
    async fn order(&self) -> Result<(String, String), AcmeError> {
        let account = self.account().await?;
        let names: Vec<Identifier> = self.settings.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(AcmeError::with("no order"))?;
        let mut proofs = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(AcmeError::with("no authorization"))?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                status => return Err(AcmeError(format!("an authorization is {status:?}"))),
            }
            let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
                return Err(AcmeError("the authority does not offer tls-alpn-01".to_owned()));
            };
            let domain = challenge.identifier().to_string();
            let digest = challenge.key_authorization().digest();
            let proof = proof::prove(&self.challenges, &domain, digest.as_ref());
            proofs.push(proof.map_err(|error| AcmeError(format!("no proof for {domain}: {error}")))?);
            challenge.set_ready().await.map_err(AcmeError::with("the proof cannot be announced"))?;
        }
        let patience = RetryPolicy::default().timeout(ORDER_TIMEOUT);
        match order.poll_ready(&patience).await.map_err(AcmeError::with("no decision"))? {
            OrderStatus::Ready => {}
            _ => {
                let seen = self.settings.domains.join(", ");
                return Err(AcmeError(format!("it did not find this gateway at port 443 of {seen}")));
            }
        }
        let key = order.finalize().await.map_err(AcmeError::with("the request is not taken"))?;
        let chain = order.poll_certificate(&patience).await.map_err(AcmeError::with("nothing was issued"))?;
        drop(proofs);
        Ok((chain, key))
    }

    /// The account of before, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let tls = trust::config(self.trusted_roots.as_deref()).map_err(|error| AcmeError(error.to_string()))?;
        let builder = Account::builder_with_http(Box::new(Client::new(tls)));
        let file = self.folder.join("account.json");
        match std::fs::read(&file) {
            Ok(text) => {
                let credentials: AccountCredentials = serde_json::from_slice(&text)
                    .map_err(|_| AcmeError(format!("{} is not an account; remove it for a new one", file.display())))?;
                builder.from_credentials(credentials).await.map_err(AcmeError::with("the account cannot be used"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let contact: Vec<&str> = self.settings.contact.iter().map(String::as_str).collect();
                let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
                let (account, credentials) = builder
                    .create(&new, self.settings.directory.clone(), None)
                    .await
                    .map_err(AcmeError::with("no account"))?;
                let text =
                    serde_json::to_vec(&credentials).map_err(|_| AcmeError("an account without text".to_owned()))?;
                write_private(&file, &text)?;
                Ok(account)
            }
            Err(error) => Err(AcmeError::of(&file)(error)),
        }
    }
}

/// There is no certificate, or two thirds of its time are over.
fn is_due(file: &Path) -> bool {
    let Ok(pem) = std::fs::read(file) else { return true };
    let Some(certificate) = CertificateDer::from_pem_slice(&pem).ok().and_then(|der| Certificate::parse(&der)) else {
        return true;
    };
    let lifetime = certificate.not_after.saturating_sub(certificate.not_before);
    timestamp::now() + lifetime / 3 >= certificate.not_after
}

/// Writes a file that only its owner can read, as a whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = || -> io::Result<()> {
        let mut file: File = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    written().map_err(AcmeError::of(path))
}
