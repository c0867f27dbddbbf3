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
        if endpoint.service.is_some() && upstream.resolve.is_none() {
            return Err(format!(
                "`{url}` needs a time under `resolve`, which is `off`: SRV records are not asked for by every connection"
            ));
        }
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
            of(&upstream, &Providers::new(None), &SecretStore::default()).map(|endpoints| endpoints.len())
        };
        let problem = with(None, &ENDPOINTS).expect_err("a service that is never asked for");
        assert!(problem.starts_with("`dns+srv://_http._tcp.a.test` needs a time under `resolve`"), "{problem}");
        assert_eq!(with(Some(Duration::from_secs(10)), &ENDPOINTS), Ok(2));
        assert_eq!(with(None, &ENDPOINTS[..1]), Ok(1));
    }
}
