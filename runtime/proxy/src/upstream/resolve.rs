//! Looks the names of upstreams up again and again, beside the requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::upstream::cluster::{Cluster, Described};
use crate::upstream::endpoint::Endpoint;
use gateway_base::warn;

/// After the first answer that does not come; doubled by each that follows, up to the usual interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Follows the names of these upstreams; ends only if there are none.
pub async fn follow(clusters: Vec<Arc<Cluster>>) {
    let mut tasks = JoinSet::new();
    for cluster in clusters.into_iter().filter(|cluster| cluster.is_moving()) {
        let described = cluster.described();
        for endpoint in 0..described.endpoints.len() {
            tasks.spawn(follow_one(Arc::clone(&cluster), described, endpoint));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            // It begins anew with all the others, under supervision.
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

async fn follow_one(cluster: Arc<Cluster>, described: &'static Described, endpoint: usize) {
    let Some(every) = described.upstream.resolve else { return };
    let Endpoint { host, port, .. } = &described.endpoints[endpoint];
    if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return;
    }
    let mut pause = FIRST_RETRY.min(every);
    let mut is_told = false;
    loop {
        let found = tokio::net::lookup_host((&**host, *port)).await.map(Iterator::collect::<Vec<SocketAddr>>);
        match found {
            Ok(addresses) if !addresses.is_empty() => {
                cluster.resolved(described, endpoint, &addresses);
                pause = FIRST_RETRY.min(every);
                is_told = false;
                tokio::time::sleep(every).await;
            }
            // What was found before stays.
            _ => {
                if !std::mem::replace(&mut is_told, true) {
                    let (api, name) = (cluster.api, cluster.document.name);
                    warn!(format_args!("upstream {name}"), "the name of an endpoint of {api} has no address: {host}");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(every.max(FIRST_RETRY));
            }
        }
    }
}
