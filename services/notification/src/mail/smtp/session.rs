//! One connection: opened, used for a message, ended.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};

use super::answers::Answers;
use super::encrypted::Encrypted;
use super::fault::{Fault, Phase, Secrets, Step};
use super::lines::Lines;
use crate::mail::NotSent;
use crate::mail::letter::Letter;

/// How long the server may take for its answer to a message whose body has been sent: 600
/// seconds, as RFC 5321 (4.5.3.2.6) asks for. It may be looking the message through; whoever
/// hangs up too early gives it twice.
pub(super) const VERDICT: Duration = Duration::from_secs(600);

/// Part of the time limit for connecting to one of the server's addresses, so that there is
/// time left for another one.
const PER_ADDRESS: u32 = 2;

/// Longest time for a goodbye, which nobody needs.
const GOODBYE: Duration = Duration::from_secs(2);

/// The answer to `DATA` that asks for the body.
const GO_ON: u16 = 354;

/// Ways to log in, the shorter one first.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// How sessions are opened and used.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) credentials: Option<Credentials>,
    /// Kept apart from the credentials, to strike it out where a server repeats it.
    pub(super) password: Option<String>,
    /// Of each step.
    pub(super) timeout: Duration,
    /// What the answer to a message may take on top of that.
    pub(super) verdict: Duration,
    pub(super) hello: ClientId,
}

/// How the connection is encrypted, and whom to believe.
pub(super) enum Encryption {
    None,
    StartTls(TlsParameters),
    Implicit(TlsParameters),
}

/// A connection that said hello.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    usable: bool,
}

impl Settings {
    /// One step, within its time.
    async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        // Sending the body and waiting for what the server makes of it is one step with lettre.
        let more = if step == Step::Body { self.verdict } else { Duration::ZERO };
        let limit = self.timeout + more;
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Fault::broken(step, &error)),
            Err(_) => Err(Fault::slow(step, limit)),
        }
    }

    /// Connects, encrypts, says hello.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let lines = self.lines().await?;
        match &self.encryption {
            Encryption::None => self.hello(Step::Greeting, Answers::new(lines)).await,
            Encryption::Implicit(tls) => {
                let shaken = Encrypted::over(lines, tls.clone());
                let encrypted = self.step(Step::Connect, shaken).await?;
                self.hello(Step::Greeting, Answers::new(encrypted)).await
            }
            Encryption::StartTls(tls) => {
                let mut open = self.hello(Step::Greeting, Answers::new(lines.clone())).await?;
                if !open.server_info().supports_feature(Extension::StartTls) {
                    let text = "the server does not offer STARTTLS".to_owned();
                    return Err(Fault::Broken { step: Step::StartTls, text });
                }
                done(Step::StartTls, &self.step(Step::StartTls, open.command(Starttls)).await?)?;
                // What was said in the open is forgotten with it.
                drop(open);
                let shaken = Encrypted::over(lines, tls.clone());
                let encrypted = self.step(Step::StartTls, shaken).await?;
                self.hello(Step::StartTls, Answers::greeted(encrypted)).await
            }
        }
    }

    async fn lines(&self) -> Result<Lines, Fault> {
        let connected = Lines::connect(&self.host, self.port, self.timeout / PER_ADDRESS);
        match tokio::time::timeout(self.timeout, connected).await {
            Ok(Ok(lines)) => Ok(lines),
            Ok(Err(error)) => Err(Fault::io(Step::Connect, &error)),
            Err(_) => Err(Fault::slow(Step::Connect, self.timeout)),
        }
    }

    async fn hello(
        &self,
        step: Step,
        stream: impl AsyncTokioStream + 'static,
    ) -> Result<AsyncSmtpConnection, Fault> {
        let said = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello);
        self.step(step, said).await
    }

    fn secrets<'a>(&'a self, address: Option<&'a str>) -> Secrets<'a> {
        Secrets { address, password: self.password.as_deref() }
    }
}

impl Session {
    /// Connects, encrypts, says hello, logs in.
    pub(super) async fn open(settings: &Settings) -> Result<Self, NotSent> {
        let opened = Self::try_open(settings).await;
        opened.map_err(|fault| fault.reason(Phase::Before, &settings.secrets(None)))
    }

    async fn try_open(settings: &Settings) -> Result<Self, Fault> {
        let mut connection = settings.connect().await?;
        if let Some(credentials) = &settings.credentials {
            let entered = connection.auth(MECHANISMS, credentials);
            settings.step(Step::Login, entered).await?;
        }
        Ok(Self { connection, usable: true })
    }

    /// Whether the next message can go over it.
    pub(super) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Whether the server is still there, and has forgotten the message before.
    pub(super) async fn is_ready_again(&mut self, settings: &Settings) -> bool {
        settings.step(Step::Again, self.connection.command(Rset)).await.is_ok()
    }

    /// Whether the server takes mail from us.
    pub(super) async fn name_sender(
        &mut self,
        settings: &Settings,
        sender: &Address,
    ) -> Result<(), NotSent> {
        let mail = Mail::new(Some(sender.clone()), Vec::new());
        let answer = settings.step(Step::Sender, self.connection.command(mail)).await;
        let named = answer.and_then(|answer| done(Step::Sender, &answer));
        named.map_err(|fault| fault.reason(Phase::Before, &settings.secrets(None)))
    }

    /// Hands over one message.
    pub(super) async fn hand_over(
        &mut self,
        settings: &Settings,
        letter: &Letter,
    ) -> Result<(), NotSent> {
        let mut phase = Phase::Before;
        let outcome = self.try_hand_over(settings, letter, &mut phase).await;
        outcome.map_err(|fault| {
            // After a plain refusal the conversation goes on; after all else it cannot.
            self.usable = fault.is_refusal();
            fault.reason(phase, &settings.secrets(Some(letter.to.as_ref())))
        })
    }

    async fn try_hand_over(
        &mut self,
        settings: &Settings,
        letter: &Letter,
        phase: &mut Phase,
    ) -> Result<(), Fault> {
        let mail = Mail::new(Some(letter.from.clone()), self.parameters(letter)?);
        let rcpt = Rcpt::new(letter.to.clone(), Vec::new());
        let connection = &mut self.connection;
        if letter.international() {
            // Here it is the address that is refused with the parameter.
            *phase = Phase::Recipient;
        }
        done(Step::Sender, &settings.step(Step::Sender, connection.command(mail)).await?)?;
        *phase = Phase::Recipient;
        done(Step::Recipient, &settings.step(Step::Recipient, connection.command(rcpt)).await?)?;
        let answer = settings.step(Step::Data, connection.command(Data)).await?;
        if u16::from(answer.code()) != GO_ON {
            return Err(Fault::odd(Step::Data, answer.code()));
        }
        *phase = Phase::Body;
        let answer = settings.step(Step::Body, connection.message(&letter.bytes)).await?;
        done(Step::Body, &answer)
    }

    fn parameters(&self, letter: &Letter) -> Result<Vec<MailParameter>, Fault> {
        if !letter.international() {
            return Ok(Vec::new());
        }
        if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Fault::Address(
                "the address is not ASCII, and the server does not take such (SMTPUTF8)",
            ));
        }
        Ok(vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
    }

    /// Says goodbye, if the server listens.
    pub(super) async fn end(mut self, settings: &Settings) {
        let limit = settings.timeout.min(GOODBYE);
        let _ = tokio::time::timeout(limit, self.connection.quit()).await;
    }
}

/// Whether an answer says that something was done.
fn done(step: Step, answer: &Response) -> Result<(), Fault> {
    match answer.code().severity {
        Severity::PositiveCompletion => Ok(()),
        _ => Err(Fault::odd(step, answer.code())),
    }
}
