//! `check-config` and `print-config`.

use toml::Value;

use super::{Failure, FolderArgs};

/// What stands for a secret.
const MASK: &str = "***";

/// Settings whose names have one of these in them are secrets, unless they name a file.
const SECRETS: [&str; 5] = ["secret", "password", "token", "credential", "private"];

pub(super) fn check(folder: &FolderArgs) -> Result<(), Failure> {
    let config = folder.load()?;
    eprintln!("the settings are good; the data folder is {}", config.data.dir.display());
    Ok(())
}

pub(super) fn print(folder: &FolderArgs, json: bool) -> Result<(), Failure> {
    let mut settings = Value::try_from(folder.load()?)?;
    mask("", &mut settings);
    if json {
        println!("{}", serde_json::to_string_pretty(&settings)?);
    } else {
        print!("{}", toml::to_string_pretty(&settings)?);
    }
    Ok(())
}

/// Hide every secret. A section may have such a name; its settings are looked at then.
fn mask(name: &str, value: &mut Value) {
    match value {
        Value::Table(table) => {
            for (name, value) in table.iter_mut() {
                mask(name, value);
            }
        }
        Value::String(text) if text.is_empty() => {}
        Value::String(text) if is_secret(name) => MASK.clone_into(text),
        Value::String(text) => {
            if let Some(masked) = without_password(text) {
                *text = masked;
            }
        }
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    !name.ends_with("_file") && SECRETS.iter().any(|secret| name.contains(secret))
}

/// An address with a password in it (`scheme://user:password@host`), without the password.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (login, host) = rest.split_once('@')?;
    let (user, _) = login.split_once(':')?;
    Some(format!("{scheme}://{user}:{MASK}@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        let mut settings: Value = toml::from_str(
            "[store]\nurl = 'redis://eve:hunter2@10.0.0.1/0'\nplain = 'http://10.0.0.1'\n\
             [smtp]\npassword = 'hunter2'\nshared_secret = 'hunter2'\nsigning_key_file = '/k'\n\
             token = ''\n[auth.password]\nrefuse_common = true\n",
        )
        .unwrap();
        mask("", &mut settings);
        let text = toml::to_string(&settings).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        for kept in ["redis://eve:***@10.0.0.1/0", "http://10.0.0.1", "/k", "refuse_common = true"]
        {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }
}
