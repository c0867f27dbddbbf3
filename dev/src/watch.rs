//! Notices that files have changed.
//!
//! Files are asked for their times. That works on every file system, containers and network folders among them, and
//! whatever an editor does to save a file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The shortest time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);
/// Looking takes at most one part in so many of the time.
const SHARE: u32 = 20;
/// A file that changes again within this time is still being written.
const SETTLED: Duration = Duration::from_millis(5);
/// What distinguishes two states of a file: its number and size, and when either or its content last changed.
type State = (u64, u64, i64, i64);

/// Files and folders, and how they were at the last look.
pub(crate) struct Watch {
    /// With all that is in them.
    whole: Vec<PathBuf>,
    /// Files, and folders in which a new document or folder counts.
    others: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, State>,
}

/// Whether a file may be a document, an overlay or a part of one. What editors keep beside it while they work is not.
fn may_be_document(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let kind = path.extension().and_then(|kind| kind.to_str());
    !is_hidden && matches!(kind, Some("yaml" | "yml" | "json"))
}

impl Watch {
    /// Watches the folder of the documents, the file that lists them, and the file of settings.
    pub(crate) fn new(specs: &Path, settings: Option<&Path>) -> Self {
        let settings = settings.unwrap_or_else(|| Path::new("gateway.yaml"));
        let whole = vec![specs.to_owned(), "gatewayc.yaml".into(), settings.to_owned()];
        let seen = look(&whole, &[]);
        Self { whole, others: Vec::new(), seen }
    }

    /// Watches these as well, instead of the last ones; nothing where it is not known what they are.
    pub(crate) fn also(&mut self, others: Vec<PathBuf>) {
        if others.is_empty() || others == self.others {
            return;
        }
        self.others = others;
        // What changed since it was read is a change: its state is taken from now on only where it was not watched.
        for (path, state) in look(&self.whole, &self.others) {
            self.seen.entry(path).or_insert(state);
        }
        let now = look(&self.whole, &self.others);
        self.seen.retain(|path, _| now.contains_key(path));
    }

    /// Waits until something has changed and is written to its end; returns how long ago that was.
    ///
    /// `is_due` says that it is time without a change.
    pub(crate) fn next(&mut self, is_due: impl Fn() -> bool) -> Duration {
        loop {
            if is_due() {
                return Duration::ZERO;
            }
            let began = Instant::now();
            let now = look(&self.whole, &self.others);
            let took = began.elapsed();
            if now == self.seen {
                sleep(INTERVAL.max(took * SHARE));
                continue;
            }
            let changed = since_last_change(&self.seen, &now);
            self.seen = now;
            sleep(SETTLED);
            let mut again = look(&self.whole, &self.others);
            while again != self.seen {
                self.seen = again;
                sleep(SETTLED);
                again = look(&self.whole, &self.others);
            }
            return changed.unwrap_or_default() + began.elapsed();
        }
    }
}

/// How long ago the latest of what differs was changed; nothing where a file is gone.
fn since_last_change(before: &BTreeMap<PathBuf, State>, now: &BTreeMap<PathBuf, State>) -> Option<Duration> {
    let changed = now.iter().filter(|(path, state)| before.get(*path) != Some(state));
    // Folders have no time here.
    let (_, (_, _, seconds, nanos)) = changed
        .filter(|(_, (_, _, seconds, _))| *seconds != 0)
        .max_by_key(|(_, (_, _, seconds, nanos))| (*seconds, *nanos))?;
    let at = Duration::new(u64::try_from(*seconds).ok()?, u32::try_from(*nanos).ok()?);
    SystemTime::now().duration_since(UNIX_EPOCH + at).ok()
}

fn look(whole: &[PathBuf], others: &[PathBuf]) -> BTreeMap<PathBuf, State> {
    let mut seen = BTreeMap::new();
    let mut open: Vec<PathBuf> = whole.to_vec();
    while let Some(path) = open.pop() {
        // What a link leads to counts, but a folder behind a link may lead back.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let is_link = fs::symlink_metadata(&path).is_ok_and(|own| own.is_symlink());
        if metadata.is_dir() {
            if !is_link || whole.contains(&path) {
                open.extend(inside(&path));
            }
        } else if may_be_document(&path) {
            note(&mut seen, path, &metadata);
        }
    }
    for path in others {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                for path in inside(path) {
                    let Ok(metadata) = fs::metadata(&path) else { continue };
                    if metadata.is_dir() {
                        seen.insert(path, (metadata.ino(), 0, 0, 0));
                    } else if may_be_document(&path) {
                        note(&mut seen, path, &metadata);
                    }
                }
            }
            Ok(metadata) => note(&mut seen, path.clone(), &metadata),
            Err(_) => {}
        }
    }
    seen
}

fn inside(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn note(seen: &mut BTreeMap<PathBuf, State>, path: PathBuf, metadata: &fs::Metadata) {
    seen.insert(path, (metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_saving_is_a_change() {
        let folder = std::env::temp_dir().join(format!("gateway-dev-watch-{}", std::process::id()));
        fs::create_dir_all(folder.join("parts")).expect("a folder");
        let document = folder.join("a.yaml");
        fs::write(&document, "a").expect("a file");
        let roots = vec![folder.clone()];
        let mut before = look(&roots, &[]);
        let mut changed = || {
            let now = look(&roots, &[]);
            std::mem::replace(&mut before, now) != look(&roots, &[])
        };
        assert!(!changed());
        fs::write(&document, "ab").expect("a file");
        assert!(changed(), "written in place");
        fs::write(folder.join(".a.swp"), "abc").expect("a file");
        fs::write(folder.join("a.yaml~"), "abc").expect("a file");
        assert!(!changed(), "beside it");
        fs::rename(folder.join(".a.swp"), &document).expect("renamed");
        assert!(changed(), "replaced");
        fs::write(folder.join("parts/b.yaml"), "b").expect("a file");
        assert!(changed(), "a part");
        fs::remove_file(folder.join("parts/b.yaml")).expect("removed");
        assert!(changed(), "removed");
        std::os::unix::fs::symlink(&folder, folder.join("parts/loop")).expect("a link");
        assert!(!changed(), "a link to a folder is not followed");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
