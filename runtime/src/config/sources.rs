//! Where settings come from, and how they become a [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::config::{Config, table};
use crate::features;
use gateway_base::problem::{Problem, SettingPlace};
use gateway_base::settings::{Setting, Settings};
use gateway_base::store_settings::read_stores;
use gateway_parties::oauth_settings::{read_oauth, read_session};
use gateway_proxy::settings::Listener;

/// Where settings come from.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources {
    /// `gateway.yaml`; missing is no mistake unless it was asked for.
    pub(crate) file: Option<PathBuf>,
    /// `GATEWAY__…` variables; without a value if that is not UTF-8.
    pub(crate) environment: Vec<(String, Option<String>)>,
    /// `--set path=value`.
    pub(crate) flags: Vec<String>,
}

impl Sources {
    /// The folder that file references start at.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.file.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// Every mistake, each with its place.
    pub(crate) fn read(&self) -> Result<Config, Vec<Problem>> {
        let mut settings = Settings::of(table::paths()).with_whole(table::whole());
        if let Some(file) = &self.file {
            match std::fs::read_to_string(file) {
                Ok(text) => settings.add_file(file, &text),
                Err(error) => {
                    settings.problems.push(Problem::plain(format!("{} cannot be read: {error}", file.display())))
                }
            }
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => settings.add_variable(name, value),
                None => settings
                    .problems
                    .push(Problem::plain(format!("environment variable {name}: its value is not UTF-8"))),
            }
        }
        for flag in &self.flags {
            settings.add_flag(flag);
        }
        interpret(settings)
    }
}

pub(super) fn interpret(mut settings: Settings) -> Result<Config, Vec<Problem>> {
    let mut config = Config { fingerprints: settings.fingerprints(), ..Config::default() };
    features::refuse_settings(&mut settings, &table::paths());
    let listeners = read_listeners(&mut settings);
    if !listeners.is_empty() {
        config.listeners = listeners;
    }
    for row in table::ROWS {
        (row.read)(&mut settings, &mut config, row.paths[0]);
    }
    config.stores = read_stores(&mut settings);
    features::refuse_stores(&mut settings, &config.stores);
    config.oauth = read_oauth(&mut settings, config.oauth);
    config.session = read_session(&mut settings, config.session);
    settings.refuse_rest();
    if settings.problems.is_empty() { Ok(config) } else { Err(settings.problems) }
}

fn read_listeners(settings: &mut Settings) -> Vec<Listener> {
    let mut apis: BTreeMap<String, (Setting, Vec<(String, SettingPlace)>)> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.apis") {
        let list =
            settings.list_with_places(&setting, "the name of an API: the stem of its document's file name", |text| {
                Some(text.to_owned())
            });
        apis.insert(names[0].clone(), (setting, list));
    }
    let mut tls = gateway_tls::settings::read(settings);
    let mut proxies = read_proxy_protocol(settings);
    let mut listeners: Vec<Listener> = Vec::new();
    for (names, setting) in settings.take_all("listeners.*.bind") {
        let name = names[0].clone();
        let apis = apis.remove(&name).map(|(_, list)| list);
        let tls = tls.remove(&name);
        let proxy_protocol_from = proxies.remove(&name).and_then(|proxies| proxies.from);
        let Some(bind) = settings.parse(&setting, "an address such as 127.0.0.1:8080 or 0.0.0.0:8080", address) else {
            continue;
        };
        if let Some(twin) = listeners.iter().find(|listener| listener.bind == bind && bind.port() != 0) {
            settings.problems.push(Problem::at(
                &setting.place,
                format!("listeners `{}` and `{name}` have the same address {bind}", twin.name),
            ));
        }
        listeners.push(Listener { name, bind, apis, tls, proxy_protocol_from });
    }
    let without = apis.into_iter().map(|(name, (setting, _))| (name, setting.place));
    let without = proxies.into_iter().map(|(name, proxies)| (name, proxies.place)).chain(without);
    let without: BTreeMap<_, _> = tls.into_iter().map(|(name, tls)| (name, tls.place)).chain(without).collect();
    for (name, place) in without {
        settings
            .problems
            .push(Problem::at(&place, format!("listener `{name}` has no address; write `bind: \"127.0.0.1:8080\"`")));
    }
    listeners
}

/// What a listener says of the PROXY protocol.
struct ProxyProtocol {
    place: SettingPlace,
    /// The load balancers, where it is required.
    from: Option<Vec<IpNet>>,
}

fn read_proxy_protocol(settings: &mut Settings) -> BTreeMap<String, ProxyProtocol> {
    let mut lists: BTreeMap<String, (SettingPlace, Option<Vec<IpNet>>)> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.proxyProtocolFrom") {
        let problems = settings.problems.len();
        let list = table::networks(settings, &setting);
        // One with a mistake has been reported.
        let list = (settings.problems.len() == problems).then_some(list);
        lists.insert(names[0].clone(), (setting.place, list));
    }
    let mut read = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.proxyProtocol") {
        let name = &names[0];
        let list = lists.remove(name);
        let is_required = settings.parse(&setting, "`required` or `off`", |text| match text {
            "required" => Some(true),
            "off" => Some(false),
            _ => None,
        });
        let is_empty = list.as_ref().is_none_or(|(_, list)| list.as_ref().is_some_and(Vec::is_empty));
        if is_required == Some(true) && is_empty {
            let message = format!(
                "listener `{name}` trusts no load balancer, so that it would close every connection; write \
                 the addresses of the load balancers beside it: `proxyProtocolFrom: [10.0.0.0/8]`"
            );
            settings.problems.push(Problem::at(&setting.place, message));
        }
        let from = list.and_then(|(_, list)| list).filter(|_| is_required == Some(true));
        read.insert(name.clone(), ProxyProtocol { place: setting.place, from });
    }
    for (name, (place, _)) in lists {
        let message = format!("listener `{name}` reads no PROXY protocol; write `proxyProtocol: required` beside it");
        settings.problems.push(Problem::at(&place, message));
        read.insert(name, ProxyProtocol { place, from: None });
    }
    read
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}
