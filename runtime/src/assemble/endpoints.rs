//! The endpoints of upstreams as a deployment has them.

use std::sync::Arc;

use gateway_access::outgoing::Providers;
use gateway_access::upstream_auth::ClientCertificate;
use gateway_base::secret::SecretStore;
use gateway_base::trust;
use gateway_proxy::tables::Upstream;
use gateway_proxy::upstream::Endpoint;
use gateway_proxy::upstream::tls::UpstreamTls;
use gateway_proxy::upstream::url::parse_url;
use rustls::pki_types::ServerName;

/// Those of an upstream, with the certificate that connections to them show.
///
/// # Errors
/// What is wrong with an address or with the certificate.
pub(crate) fn of(upstream: &Upstream, providers: &Providers, secrets: &SecretStore) -> Result<Box<[Endpoint]>, String> {
    let certificate = upstream.auth.and_then(|auth| auth.certificate);
    let endpoint = |url: &str| {
        let (endpoint, name) = parse_url(url).map_err(String::from)?;
        if certificate.is_some() && name.is_none() {
            return Err(format!("it has a client certificate, which `{url}` never sees: there is no TLS"));
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
) -> Result<UpstreamTls, String> {
    let mut config = providers.tls()?;
    if let Some(ClientCertificate { chain, key }) = certificate {
        let (chain, key) = (chain.resolve(secrets)?, key.resolve(secrets)?);
        let with = trust::with_certificate(&config, chain.expose(), key.expose());
        config = Arc::new(with.map_err(|problem| format!("its client certificate: {problem}"))?);
    }
    if is_http2 {
        Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(UpstreamTls { config, name })
}
