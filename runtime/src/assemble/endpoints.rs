//! The endpoints of upstreams as a deployment has them.

use std::sync::Arc;

use gateway_access::outgoing::Providers;
use gateway_access::upstream_auth::ClientCertificate;
use gateway_base::secret::{SecretError, SecretStore};
use gateway_base::trust::{self, ClientCertificateError, TrustError};
use gateway_proxy::tables::Upstream;
use gateway_proxy::upstream::Endpoint;
use gateway_proxy::upstream::tls::UpstreamTls;
use gateway_proxy::upstream::url::{UpstreamUrlError, parse_url};
use rustls::pki_types::ServerName;

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// The servers behind the name would never be asked for.
    #[error("`{0}` needs a time under `resolve`, which is `off`: SRV records are not asked for by every connection")]
    NeverResolved(String),
    /// Its URL is not one of an upstream.
    #[error(transparent)]
    Url(#[from] UpstreamUrlError),
    /// The certificate of the gateway would be shown to no one there.
    #[error("it has a client certificate, which `{0}` never sees: there is no TLS")]
    NoTls(String),
    /// There are no roots to check its certificate with.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The certificate of the gateway, or its key, is not where the document says.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The new endpoints of a running gateway need other requests than those before.
    #[error("its addresses have another path, or speak another version of HTTP; that needs a restart or an upgrade")]
    OtherRequests,
    /// The certificate of the gateway cannot be used.
    #[error("its client certificate: {0}")]
    Certificate(#[from] ClientCertificateError),
}

/// Those of an upstream, with the certificate that connections to them show.
///
/// # Errors
/// An address, or the certificate, cannot be used.
pub(crate) fn of(
    upstream: &Upstream,
    providers: &Providers,
    secrets: &SecretStore,
) -> Result<Box<[Endpoint]>, EndpointError> {
    let certificate = upstream.auth.and_then(|auth| auth.certificate);
    let endpoint = |url: &str| {
        let (endpoint, name) = parse_url(url)?;
        if endpoint.service.is_some() && upstream.resolve.is_none() {
            return Err(EndpointError::NeverResolved(url.to_owned()));
        }
        if certificate.is_some() && name.is_none() {
            return Err(EndpointError::NoTls(url.to_owned()));
        }
        let tls =
            name.map(|name| upstream_tls(name, certificate, endpoint.is_http2, providers, secrets)).transpose()?;
        Ok(Endpoint { tls, ..endpoint })
    };
    upstream.endpoints.iter().map(|described| endpoint(described.url)).collect()
}

fn upstream_tls(
    name: ServerName<'static>,
    certificate: Option<ClientCertificate>,
    is_http2: bool,
    providers: &Providers,
    secrets: &SecretStore,
) -> Result<UpstreamTls, EndpointError> {
    let mut config = providers.tls()?;
    if let Some(ClientCertificate { chain, key }) = certificate {
        let (chain, key) = (chain.resolve(secrets)?, key.resolve(secrets)?);
        config = Arc::new(trust::with_certificate(&config, chain.expose(), key.expose())?);
    }
    if is_http2 {
        Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(UpstreamTls { config, name })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gateway_proxy::tables::UpstreamEndpoint;

    use super::*;

    #[test]
    fn srv_records_need_a_time() {
        static ENDPOINTS: [UpstreamEndpoint; 2] = [
            UpstreamEndpoint { url: "http://a.test:1", weight: 1, priority: 0 },
            UpstreamEndpoint { url: "dns+srv://_http._tcp.a.test", weight: 1, priority: 0 },
        ];
        let with = |resolve, endpoints: &'static [UpstreamEndpoint]| {
            let upstream = Upstream { resolve, endpoints, ..Upstream::USUAL };
            let endpoints = of(&upstream, &Providers::new(None), &SecretStore::default());
            endpoints.map(|endpoints| endpoints.len()).map_err(|problem| problem.to_string())
        };
        let problem = with(None, &ENDPOINTS).expect_err("a service that is never asked for");
        assert!(problem.starts_with("`dns+srv://_http._tcp.a.test` needs a time under `resolve`"), "{problem}");
        assert_eq!(with(Some(Duration::from_secs(10)), &ENDPOINTS), Ok(2));
        assert_eq!(with(None, &ENDPOINTS[..1]), Ok(1));
    }
}
