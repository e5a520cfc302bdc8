use std::io::Write;

use super::*;
use crate::cli::FolderArgs;

/// The documented file at the root of the workspace.
fn documented() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/eventflow.toml")
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(flags: &RunArgs, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(flags, environment.iter().map(|(name, value)| (name.into(), value.into())))
}

/// Flags that name this file.
fn by_file(file: &Path) -> RunArgs {
    let folder = FolderArgs { data: None, config: Some(file.to_owned()) };
    RunArgs { folder, ..RunArgs::default() }
}

fn load_file(text: &str) -> Result<Config, ConfigError> {
    let file = file(text);
    load(&by_file(file.path()), &[])
}

fn load_variable(name: &str, value: &str) -> Result<Config, ConfigError> {
    load(&RunArgs::default(), &[(name, value)])
}

#[test]
fn the_documented_file_says_what_the_defaults_are() {
    let table = read(&documented()).unwrap();
    assert_eq!(table, Config::default().to_table());
}

#[test]
fn every_documented_setting_has_a_sentence() {
    let text = std::fs::read_to_string(documented()).unwrap();
    let mut before = "";
    for line in text.lines() {
        if !line.starts_with('#') && line.contains('=') {
            assert!(before.starts_with("# "), "nothing is said of: {line}");
        }
        before = line;
    }
}

#[test]
fn defaults_become_the_defaults_of_every_crate() {
    let config = Config::default();
    config.validate().unwrap();
    assert_eq!(config.server.options(), crate::listen::Options::default());
    assert_eq!(config.gateway.options(), gateway::Options::default());
    assert_eq!(config.auth.options(2, true), auth::Options::default());
    assert_eq!(config.booking.options(), booking::Options::default());
    assert_eq!(config.catalog.options(&config.limits), catalog::Options::default());
    assert_eq!(config.actors.options(&config.limits), actors::Options::default());
}

#[test]
fn hashes_leave_a_core_free_unless_told_otherwise() {
    let mut config = Config::default();
    for (cores, at_once) in [(1, 1), (2, 1), (8, 7)] {
        assert_eq!(config.auth.options(cores, true).hashes_at_once, at_once);
    }
    config.auth.hashes_at_once = 3;
    assert_eq!(config.auth.options(8, true).hashes_at_once, 3);
}

#[test]
fn flags_go_above_variables_above_the_file_above_the_defaults() {
    let file = file(
        "[server]\nlisten = \"127.0.0.1:1\"\nmax_connections = 11\nidle_timeout_ms = 1111\n\
         [data]\ndir = \"/file\"",
    );
    let flags = RunArgs { listen: Some("127.0.0.1:3".parse().unwrap()), ..by_file(file.path()) };
    let environment = [
        ("EVENTFLOW_SERVER__LISTEN", "127.0.0.1:2"),
        ("EVENTFLOW_SERVER__MAX_CONNECTIONS", "22"),
        ("EVENTFLOW_AUTH__PASSWORD__REFUSE_COMMON", "false"),
        ("EVENTFLOW_GATEWAY__CORS_ORIGINS", "https://a.example, https://b.example:8443"),
        ("PATH", "/bin"),
    ];
    let config = load(&flags, &environment).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:3");
    assert_eq!(config.server.max_connections, 22);
    assert_eq!(config.server.idle_timeout_ms, 1111);
    assert_eq!(config.data.dir, Path::new("/file"));
    assert!(!config.auth.options(1, true).refuse_common);
    assert_eq!(config.gateway.cors_origins, ["https://a.example", "https://b.example:8443"]);
    assert_eq!(config.gateway.max_body_bytes, Config::default().gateway.max_body_bytes);
}

#[test]
fn what_nobody_knows_is_an_error_that_names_it() {
    for (text, key) in [
        ("[server]\nlisten_at = \"x\"", "server.listen_at"),
        ("[auth.password]\nrefuse = true", "auth.password.refuse"),
        ("[servre]\nlisten = \"x\"", "servre"),
        ("listen = \"127.0.0.1:1\"", "listen"),
    ] {
        let error = load_file(text).unwrap_err();
        assert!(matches!(&error, ConfigError::Unknown { key: k, .. } if k == key), "{error}");
    }
    for name in [
        "EVENTFLOW_SERVER__LISTEN_AT",
        "EVENTFLOW_SERVER_LISTEN",
        "EVENTFLOW_SERVER",
        "EVENTFLOW_",
        "EVENTFLOW_AUTH__PASSWORD",
        "EVENTFLOW_SERVER__LISTEN__PORT",
    ] {
        let error = load_variable(name, "1").unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, ConfigError::Unknown { .. }), "{name}");
    }
}

#[test]
fn a_value_that_cannot_be_is_an_error_that_names_it() {
    for (text, key) in [
        ("[server]\nmax_connections = \"many\"", "server.max_connections"),
        ("[server]\nmax_connections = -1", "server.max_connections"),
        ("[server]\nmax_connections = 0", "server.max_connections"),
        ("[server]\nmax_connections = 99999999999", "server.max_connections"),
        ("[server]\nlisten = \"8080\"", "server.listen"),
        ("[data]\ndir = \"\"", "data.dir"),
        ("server = 1", "server"),
        ("[auth]\npassword = true", "auth.password"),
        ("[auth]\nhash_lanes = 2\nhash_memory_kib = 15", "auth.hash_memory_kib"),
        ("[gateway]\ncors_origins = [\"https://a.example/\"]", "gateway.cors_origins"),
        ("[gateway]\ncors_origins = [1]", "gateway.cors_origins"),
        ("[gateway]\nrequest_timeout_ms = 30001", "gateway.request_timeout_ms"),
        ("[limits]\nclient_key_memory_s = 60", "limits.client_key_memory_s"),
        ("[booking]\ndeadline_ms = 15000", "catalog.booking_patience_ms"),
        ("[storage]\nreaders = 0", "storage.readers"),
        ("[cluster]\ntls_ca_file = \"a\"\ntls_cert_file = \"c\"", "cluster.tls_key_file"),
        ("[cluster]\ntls_key_file = \"k\"", "cluster.tls_ca_file"),
        ("[log]\nlevel = \"loud\"", "log.level"),
    ] {
        let error = load_file(text).unwrap_err();
        assert!(matches!(&error, ConfigError::Invalid { key: k, .. } if k == key), "{error}");
    }
    for (name, value) in [
        ("EVENTFLOW_SERVER__MAX_CONNECTIONS", "-1"),
        ("EVENTFLOW_SERVER__MAX_CONNECTIONS", ""),
        ("EVENTFLOW_AUTH__PASSWORD__REFUSE_COMMON", "yes"),
    ] {
        let error = load_variable(name, value).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_sentence() {
    let flags = by_file(Path::new("/nowhere/x.toml"));
    let error = load(&flags, &[]).unwrap_err().to_string();
    assert!(error.contains("/nowhere/x.toml"), "{error}");
    let error = load_file("[server]\n\nlisten = = 1").unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}
