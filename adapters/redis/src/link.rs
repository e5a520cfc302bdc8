//! One connection that is made again when it breaks, and never used before the server has
//! been found to keep what it acknowledges.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError};
use storage::StorageError;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::durability::{self, Durability};
use crate::error::{not_sent, of_sent};

/// How long a connection may take to come up.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How long an answer may take; then nobody knows.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// The functions that are loaded into the server.
const LIBRARY: &str = include_str!("../schema/eventflow.lua");

/// A connection.
pub(crate) struct Link {
    client: Client,
    durability: Durability,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a failure is blamed on the one that failed.
    number: u64,
}

impl Link {
    pub(crate) fn new(client: Client, durability: Durability) -> Self {
        Self { client, durability, current: Mutex::default() }
    }

    /// Send one command.
    pub(crate) async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StorageError> {
        let (mut connection, number) = self.connection().await?;
        let answer = timeout(ANSWER_LIMIT, command.query_async(&mut connection)).await;
        self.judge(answer, number).await
    }

    /// Send one command that only reads. A connection that broke since it was last used is
    /// found out by using it; what only reads may be asked again on a new one.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StorageError> {
        match self.send(command).await {
            Err(StorageError::Unknown(_)) => self.send(command).await,
            answered => answered,
        }
    }

    /// The same for commands that are sent together.
    pub(crate) async fn ask_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StorageError> {
        match self.send_all(commands).await {
            Err(StorageError::Unknown(_)) => self.send_all(commands).await,
            answered => answered,
        }
    }

    /// Send commands together; their answers come together.
    pub(crate) async fn send_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StorageError> {
        let (mut connection, number) = self.connection().await?;
        let answer = timeout(ANSWER_LIMIT, commands.query_async(&mut connection)).await;
        self.judge(answer, number).await
    }

    async fn judge<T>(
        &self,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
        number: u64,
    ) -> Result<T, StorageError> {
        let error = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                let broken = error.is_io_error() || error.is_unrecoverable_error();
                let error = of_sent(&error);
                if !broken && !matches!(&error, StorageError::NotDone(_)) {
                    return Err(error);
                }
                error
            }
            Err(_) => StorageError::Unknown("Redis did not answer in time".into()),
        };
        // After any of these the next call begins with a new connection, and so with the
        // check: the server may be another one, or have been set otherwise.
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
        Err(error)
    }

    /// The connection, made and checked if there is none.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), StorageError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((connection.clone(), current.number));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(None);
        let making = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = timeout(CONNECT_LIMIT, making)
            .await
            .map_err(|_| StorageError::NotDone("Redis did not take a connection".into()))?
            .map_err(|error| not_sent(&error))?;
        durability::check(&mut connection, self.durability).await?;
        let load = redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(LIBRARY).clone();
        let () = timeout(ANSWER_LIMIT, load.query_async(&mut connection))
            .await
            .map_err(|_| StorageError::NotDone("Redis did not take our functions".into()))?
            .map_err(|error| not_sent(&error))?;
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((connection, current.number))
    }
}
