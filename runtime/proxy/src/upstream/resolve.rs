//! Looks the names of upstreams up again and again, beside the requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::upstream::cluster::{Cluster, Described};
use crate::upstream::member::Share;
use crate::upstream::names::Names;
use gateway_base::warn;

/// A look-up that takes longer has failed: that of a service asks for each of its targets.
const LONGEST_LOOK_UP: Duration = Duration::from_secs(60);

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

async fn follow_one(cluster: Arc<Cluster>, described: &'static Described, number: usize) {
    let Some(every) = described.upstream.resolve else { return };
    let endpoint = &described.endpoints[number];
    if endpoint.address().is_some() {
        return;
    }
    let share = Share::of(described.upstream, number);
    let mut names = Names::default();
    let mut pause = FIRST_RETRY.min(every);
    let mut is_told = false;
    loop {
        let found = timeout(LONGEST_LOOK_UP, names.servers(endpoint, share)).await;
        match found.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(servers) => {
                cluster.resolved(described, number, servers);
                pause = FIRST_RETRY.min(every);
                is_told = false;
                tokio::time::sleep(every).await;
            }
            // What was found before stays.
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    let (api, name) = (cluster.api, cluster.document.name);
                    let label = endpoint.label();
                    warn!(format_args!("upstream {name}"), "{label}, an endpoint of {api}, was not found: {error}");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(every.max(FIRST_RETRY));
            }
        }
    }
}
