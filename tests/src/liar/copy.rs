//! A host over a copy of a node's folder, taken at some moment: an old disk put back, or the other branch of a fork. It has
//! the node's log key and is as real as the node itself.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use karute_consent::party::Identity;
use karute_node::ambient::Ambient;
use karute_node::cosign::Witnesses;
use karute_node::flow::host::{Host, Registration};
use karute_node::vault::bodies::BodyLimits;
use karute_node::vault::{OpenError, Store, StoreSettings};

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &place)?,
            false => drop(fs::copy(entry.path(), place)?),
        }
    }
    Ok(())
}

/// Opens a host over the store in `folder`.
pub fn open_host(
    folder: &Path,
    log: &Identity,
    ambient: Ambient,
    registration: Registration,
    witnesses: Witnesses,
) -> Result<Arc<Host>, OpenError> {
    let source = ambient.clone();
    let settings = StoreSettings {
        folder: folder.to_owned(),
        log: same(log),
        entropy: Arc::new(move |bytes: &mut [u8]| source.fill(bytes)),
        bodies: BodyLimits::default(),
    };
    let (store, _) = Store::open(settings, &mut |_| ())?;
    Ok(Host::with_witnesses(store, same(log), registration, ambient, witnesses))
}

/// The same key once more.
pub(super) fn same(log: &Identity) -> Identity {
    Identity::from_seed(&log.to_seed())
}
