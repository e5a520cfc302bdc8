//! `backup` and `restore`: a data folder as one file.
//!
//! The file is a tar archive: a manifest, the signing key if it lies in the folder, and the
//! files of the store, the ledger last. Ticket codes and tokens depend on the key, so the
//! file is a secret: nobody but its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use adapter_sqlite::admin::copies::{self, Copied, FILES};
use api::clock::rfc3339;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Failure, FolderArgs};
use crate::clock::ProcessClock;
use crate::keys::KEY_FILE;

/// The manifest's name, and the version of what is in it.
const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;

/// Most bytes of a manifest that are read.
const MANIFEST_BYTES: u64 = 64 * 1024;

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    program: String,
    taken_at: String,
    ledger_position: u64,
    events: u64,
    era: u32,
    files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    name: String,
    bytes: u64,
    sha256: String,
}

pub(super) fn backup(folder: &FolderArgs, file: &Path) -> Result<(), Failure> {
    let config = folder.load()?;
    super::must_exist(&config)?;
    if file.exists() {
        return Err(format!("{} is there already", file.display()).into());
    }
    let workshop = beside(file, "copying");
    let _gone = Workshop::new(&workshop)?;
    copies::take(&config.data.dir, &workshop)?;
    let key = config.data.dir.join(KEY_FILE);
    if key.exists() {
        fs::copy(&key, workshop.join(KEY_FILE))?;
    }
    let copied = copies::verify(&workshop)?;
    let manifest = manifest(&workshop, &copied)?;
    let unfinished = beside(file, "unfinished");
    write(&workshop, &manifest, &unfinished).inspect_err(|_| {
        // Nobody shall take it for a backup; that it stays is no further harm.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, file)?;
    sync_folder_of(file)?;
    eprintln!(
        "{}: {} events, ledger up to {}. The signing key is in it: keep it secret.",
        file.display(),
        copied.events,
        copied.last.0
    );
    Ok(())
}

pub(super) fn restore(folder: &FolderArgs, file: &Path, force: bool) -> Result<(), Failure> {
    let config = folder.load()?;
    let dir = &config.data.dir;
    let taken = dir.exists() && fs::read_dir(dir)?.next().is_some();
    if taken && !force {
        let sentence = "is there and not empty; with --force it is moved aside";
        return Err(format!("{} {sentence}", dir.display()).into());
    }
    if taken {
        // Whoever serves it has its lock; moving it away under a server would lose data.
        drop(adapter_sqlite::admin::migrate(dir)?);
    }
    let workshop = beside(dir, "restoring");
    let _gone = Workshop::new(&workshop)?;
    let manifest = unpack(file, &workshop)?;
    let copied = copies::verify(&workshop)?;
    if copied.last.0 != manifest.ledger_position {
        return Err("the ledger does not end where the manifest says".into());
    }
    let era = copies::settle(&workshop)?;
    let aside = beside(dir, "before-restore");
    if taken {
        if aside.exists() {
            return Err(format!("{} is there already; move it away", aside.display()).into());
        }
        fs::rename(dir, &aside)?;
    } else if dir.exists() {
        fs::remove_dir(dir)?;
    }
    fs::rename(&workshop, dir)?;
    sync_folder_of(dir)?;
    if taken {
        eprintln!("what was there is in {} now", aside.display());
    }
    eprintln!(
        "{}: {} events as of {}, era {}. The lists are made anew at the next start.",
        dir.display(),
        copied.events,
        manifest.taken_at,
        era.0
    );
    Ok(())
}

/// A folder to work in, gone when the work is done or given up.
struct Workshop(PathBuf);

impl Workshop {
    fn new(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // Renamed away when all went well.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn manifest(workshop: &Path, copied: &Copied) -> Result<Manifest, Failure> {
    let names = [KEY_FILE].into_iter().chain(FILES).filter(|name| workshop.join(name).exists());
    let files: Result<Vec<_>, Failure> = names
        .map(|name| {
            let path = workshop.join(name);
            let (bytes, sha256) = digest(File::open(&path)?)?;
            Ok(Listed { name: name.to_owned(), bytes, sha256 })
        })
        .collect();
    Ok(Manifest {
        format: FORMAT,
        program: format!("eventflow {}", env!("CARGO_PKG_VERSION")),
        taken_at: rfc3339(ProcessClock::start().now()),
        ledger_position: copied.last.0,
        events: copied.events,
        era: copied.era.0,
        files: files?,
    })
}

fn write(workshop: &Path, manifest: &Manifest, to: &Path) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut archive = tar::Builder::new(std::io::BufWriter::new(file));
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    archive.append_data(&mut header, MANIFEST, &*text)?;
    for listed in &manifest.files {
        archive.append_path_with_name(workshop.join(&listed.name), &listed.name)?;
    }
    let mut writer = archive.into_inner()?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    Ok(())
}

/// Unpack a backup into an empty folder: just the files that its manifest names, each with
/// the digest that it says.
fn unpack(file: &Path, to: &Path) -> Result<Manifest, Failure> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut archive = tar::Archive::new(File::open(file).map_err(cannot)?);
    let mut entries = archive.entries()?;
    let first = entries.next().ok_or("the file is empty: it is not a backup")?;
    let mut first = first.map_err(|_| "the file is not a backup")?;
    if first.path()?.to_str() != Some(MANIFEST) {
        return Err("the file is not a backup: it has no manifest".into());
    }
    let mut text = Vec::new();
    (&mut first).take(MANIFEST_BYTES).read_to_end(&mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| format!("the manifest is broken: {error}"))?;
    if manifest.format != FORMAT {
        return Err(format!("the backup has format {}, known is {FORMAT}", manifest.format).into());
    }
    let mut found = Vec::new();
    for entry in entries {
        let mut entry = entry.map_err(cannot)?;
        let name = entry.path()?.to_str().unwrap_or_default().to_owned();
        let listed = manifest.files.iter().find(|listed| listed.name == name);
        let known = name == KEY_FILE || FILES.contains(&name.as_str());
        let listed = listed
            .filter(|_| known)
            .ok_or_else(|| format!("{name:?} does not belong in a backup"))?;
        let path = to.join(&listed.name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(if name == KEY_FILE { 0o600 } else { 0o644 });
        let mut target = options.open(&path)?;
        std::io::copy(&mut entry, &mut target).map_err(cannot)?;
        target.sync_all()?;
        let (bytes, sha256) = digest(File::open(&path)?)?;
        if (bytes, &sha256) != (listed.bytes, &listed.sha256) {
            return Err(format!("{name} was altered or cut: its digest is another").into());
        }
        found.push(name);
    }
    for name in FILES {
        if !found.iter().any(|found| found == name) {
            return Err(format!("{name} is missing: the backup is cut").into());
        }
    }
    Ok(manifest)
}

fn digest(mut file: File) -> Result<(u64, String), Failure> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            let digest = hash.finalize();
            return Ok((bytes, digest.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        hash.update(&chunk[..read]);
        bytes += read as u64;
    }
}

fn sync_folder_of(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
}
