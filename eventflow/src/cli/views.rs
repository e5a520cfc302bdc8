//! `migrate` and `rebuild-views`.

use std::sync::Arc;

use adapter_sqlite::Options;
use adapter_sqlite::admin::{self, rebuild::ViewsRebuilt};
use serde_json::json;

use super::{Failure, FolderArgs, block_on, progress};
use crate::Config;

/// Options for work without a server: a file that fails ends the command.
pub(super) fn options(config: &Config) -> Options {
    let on_fatal = Arc::new(|sentence: String| crate::stores::end_process(&sentence));
    Options::new(&config.data.dir, on_fatal)
}

pub(super) fn migrate(folder: &FolderArgs) -> Result<(), Failure> {
    let config = folder.load()?;
    if !config.storage.is_folder() {
        block_on(crate::servers::migrate(&config))??;
        eprintln!("Redis and Cassandra have what replicas need");
        return Ok(());
    }
    super::must_exist(&config)?;
    for migrated in admin::migrate(&config.data.dir)? {
        let admin::Migrated { file, from, to } = migrated;
        if from == to {
            eprintln!("{file}: up to date (schema {to})");
        } else {
            eprintln!("{file}: brought from schema {from} to {to}");
        }
    }
    Ok(())
}

pub(super) fn rebuild(folder: &FolderArgs, check: bool, json: bool) -> Result<(), Failure> {
    let config = folder.load()?;
    if !config.storage.is_folder() {
        return super::recover::rebuild_views(&config, check, json);
    }
    super::must_exist(&config)?;
    let bar = progress::bar("batches");
    let mut show = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let options = options(&config);
    let work = admin::rebuild::views(&options, check, &mut show);
    let rebuilt = block_on(work)??;
    bar.finish_and_clear();
    tell(&rebuilt, json)?;
    let differ = rebuilt.tables.iter().any(|table| table.missing + table.extra > 0);
    if check && differ {
        return Err("the lists are not what the ledger says; run without --check".into());
    }
    Ok(())
}

fn tell(rebuilt: &ViewsRebuilt, as_json: bool) -> Result<(), Failure> {
    let ViewsRebuilt { batches, tables, replaced } = rebuilt;
    if as_json {
        let tables: Vec<_> = tables
            .iter()
            .map(|table| {
                json!({
                    "table": table.table, "rows": table.rows, "missing": table.missing,
                    "extra": table.extra,
                })
            })
            .collect();
        let outcome = json!({ "batches": batches, "tables": tables, "replaced": replaced });
        println!("{}", serde_json::to_string_pretty(&outcome)?);
        return Ok(());
    }
    for table in tables {
        println!(
            "{}: {} rows, {} were missing or different, {} were there and must not be",
            table.table, table.rows, table.missing, table.extra
        );
    }
    let verdict = if *replaced { "the lists are made anew" } else { "nothing was changed" };
    eprintln!("{batches} batches read; {verdict}");
    Ok(())
}
