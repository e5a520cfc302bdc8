//! `create-admin`.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use adapter_sqlite::admin::OpenAccounts;
use api::Entropy;
use api::auth::Register;
use api::fields::Fields;
use serde_json::json;

use super::{Failure, FolderArgs, block_on};
use crate::clock::{ProcessClock, SystemEntropy};

pub(super) fn create_admin(
    folder: &FolderArgs,
    username: &str,
    email: &str,
    full_name: Option<&str>,
) -> Result<(), Failure> {
    let config = folder.load()?;
    super::must_exist(&config)?;
    let password = password()?;
    let body = json!({
        "username": username, "email": email, "password": password, "full_name": full_name,
    });
    // The same checks as a registration's.
    let wish: Register = Fields::read(body).map_err(|problem| {
        let errors = problem.errors().iter();
        let wrong: Vec<_> =
            errors.map(|error| format!("{} {}", error.field, error.detail)).collect();
        wrong.join("; ")
    })?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let options = config.auth.options(1, false);
    let accounts = OpenAccounts::open(&super::views::options(&config))?;
    let made = block_on(async {
        let clock = ProcessClock::start();
        let made = auth::create_admin(&*accounts.accounts, &options, &clock, &entropy, wish).await;
        accounts.close().await;
        made
    })?;
    let profile = made.map_err(|error| match error {
        auth::Error::Taken(field) => format!("the {field} is taken"),
        other => other.to_string(),
    })?;
    eprintln!("{} may do everything now", profile.username);
    println!("{}", profile.id);
    Ok(())
}

/// Asked for at a terminal without showing it; one line otherwise.
fn password() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Once more: ")? != first {
            return Err("the two are not the same".into());
        }
        return Ok(first);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\n', '\r']).to_owned();
    if password.is_empty() {
        return Err("no password on standard input".into());
    }
    Ok(password)
}
