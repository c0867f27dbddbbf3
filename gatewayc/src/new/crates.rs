//! Where the crates of a project's gateway come from.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::new::fault::wrong;
use crate::new::quoted::quoted;

/// The crates that a project names, each with its folder in a checkout.
const CRATES: &[(&str, &str)] = &[("gateway-dev", "dev"), ("gateway-runtime", "runtime"), ("gatewayc", "gatewayc")];

/// Where the crates come from.
pub(super) enum Crates {
    /// A checkout, and the path to it that a manifest names.
    Path { checkout: PathBuf, shown: String },
    /// A revision of a repository.
    Git { url: String, revision: String },
    /// A version from the registry that Cargo is configured for.
    Version(String),
}

impl Crates {
    /// What was asked for, for a project in `folder`.
    pub(super) fn find(asked: Option<&str>, folder: &Path) -> io::Result<Self> {
        let Some(asked) = asked else {
            let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|parent| is_checkout(parent));
            return match built_from {
                Some(checkout) => Self::checkout(checkout, folder),
                None => Ok(Self::Version(env!("CARGO_PKG_VERSION").to_owned())),
            };
        };
        if Path::new(asked).is_dir() {
            if !is_checkout(Path::new(asked)) {
                return Err(wrong(format!("--gateway: {asked} does not hold the source of gatewayc and its runtime")));
            }
            return Self::checkout(Path::new(asked), folder);
        }
        if asked.contains("://") || asked.starts_with("git@") {
            let Some((url, revision)) = asked.rsplit_once('#').filter(|(_, revision)| !revision.is_empty()) else {
                return Err(wrong(format!("--gateway: {asked} names no revision; write {asked}#REVISION")));
            };
            return Ok(Self::Git { url: url.to_owned(), revision: revision.to_owned() });
        }
        let is_version = asked.starts_with(|first: char| first.is_ascii_digit())
            && asked.chars().all(|one| one.is_ascii_alphanumeric() || ".-+".contains(one));
        if !is_version {
            return Err(wrong(format!("--gateway: {asked} is neither a folder, nor a URL, nor a version such as 0.2")));
        }
        Ok(Self::Version(asked.to_owned()))
    }

    fn checkout(checkout: &Path, folder: &Path) -> io::Result<Self> {
        let checkout = checkout.canonicalize()?;
        // The folder itself may not be there yet.
        let folder = std::path::absolute(folder)?;
        let parent = folder.parent().and_then(|parent| parent.canonicalize().ok());
        let folder = parent.zip(folder.file_name()).map_or(folder.clone(), |(parent, name)| parent.join(name));
        let shown = relative(&folder, &checkout).unwrap_or_else(|| checkout.clone());
        let shown = shown.to_str().map(str::to_owned);
        let shown = shown.ok_or_else(|| wrong("--gateway: the name of the folder is not Unicode"))?;
        Ok(Self::Path { checkout, shown })
    }

    /// What stands behind the name of one of [`CRATES`] in a manifest.
    pub(super) fn requirement(&self, name: &str, more: &str) -> String {
        let source = match self {
            Self::Path { shown, .. } => {
                let folder = CRATES.iter().find(|(known, _)| *known == name).map_or(name, |(_, folder)| folder);
                format!("path = {}", quoted(&format!("{shown}/{folder}")))
            }
            Self::Git { url, revision } => format!("git = {}, rev = {}", quoted(url), quoted(revision)),
            Self::Version(version) => format!("version = {}", quoted(version)),
        };
        format!("{{ {source}{more} }}")
    }

    /// The versions of all dependencies that these crates were tested with.
    pub(super) fn lock_file(&self) -> Option<PathBuf> {
        let Self::Path { checkout, .. } = self else { return None };
        Some(checkout.join("Cargo.lock")).filter(|file| file.is_file())
    }
}

fn is_checkout(folder: &Path) -> bool {
    CRATES.iter().all(|(_, inside)| folder.join(inside).join("Cargo.toml").is_file())
}

/// The way from one folder to another, both absolute.
fn relative(from: &Path, to: &Path) -> Option<PathBuf> {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    // From far away, an absolute path says more.
    if common < 2 {
        return None;
    }
    let up = std::iter::repeat_n(Component::ParentDir, from.len() - common);
    Some(up.chain(to[common..].iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_folders_are_named_relatively() {
        let way = |from: &str, to: &str| {
            relative(Path::new(from), Path::new(to)).and_then(|way| way.to_str().map(str::to_owned))
        };
        assert_eq!(way("/home/a/shop", "/home/a/gatewayc").as_deref(), Some("../gatewayc"));
        assert_eq!(way("/home/a/x/shop", "/home/a/gatewayc").as_deref(), Some("../../gatewayc"));
        assert_eq!(way("/tmp/shop", "/home/a/gatewayc"), None);
    }

    #[test]
    fn sources_of_the_crates_are_recognised() {
        let requirement = |asked: &str| {
            Crates::find(Some(asked), Path::new("/tmp/shop")).map(|crates| crates.requirement("gatewayc", "")).ok()
        };
        assert_eq!(requirement("0.2").as_deref(), Some("{ version = \"0.2\" }"));
        let git = "{ git = \"https://git.example/gatewayc\", rev = \"v0.2.0\" }";
        assert_eq!(requirement("https://git.example/gatewayc#v0.2.0").as_deref(), Some(git));
        for asked in ["https://git.example/gatewayc", "https://git.example/gatewayc#", "latest", "/tmp", "\"0.2\""] {
            assert_eq!(requirement(asked), None, "{asked}");
        }
    }
}
