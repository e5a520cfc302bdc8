//! `rebuild-catalog`.

use adapter_sqlite::Sqlite;
use catalog::Rebuilt;
use serde_json::json;

use super::{Failure, FolderArgs, block_on, progress};

pub(super) fn rebuild(folder: &FolderArgs, json: bool) -> Result<(), Failure> {
    let config = folder.load()?;
    super::must_exist(&config)?;
    let sqlite = Sqlite::open(&super::views::options(&config))?;
    let bar = progress::bar("batches");
    let rebuilt = block_on(async {
        let stores = sqlite.stores();
        let mut show = |position: storage::Position| bar.set_position(position.0);
        let partitions = stores.commit.partitions();
        let rebuilt =
            catalog::rebuild(&*stores.outbox, partitions, &*stores.catalog, &mut show).await;
        sqlite.close().await;
        rebuilt
    })??;
    bar.finish_and_clear();
    let Rebuilt { same, different, missing, unreadable } = rebuilt;
    if json {
        let outcome = json!({
            "same": same, "different": different, "missing": missing, "unreadable": unreadable,
        });
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        println!("{same} documents were right, {different} different, {missing} missing");
    }
    if unreadable > 0 {
        return Err(format!("{unreadable} facts make no document; see the lines above").into());
    }
    Ok(())
}
