//! From the start of the process on an empty folder to the first booking of a person
//! who registers and logs in.

use anyhow::{Result, ensure};
use benches::load::Generator;
use benches::process::Server;
use benches::spread::Spread;
use serde_json::json;

use crate::Options;
use crate::sides::{self, text};

/// Prints the table.
pub(crate) fn measure(options: &Options) -> Result<()> {
    println!("\n## Start on an empty folder\n");
    println!("{} starts; median (least–greatest), in milliseconds.\n", options.rounds);
    println!("| from the start of the process until | ms |");
    println!("| --- | --- |");
    let generator = Generator::new()?;
    let (mut ready, mut booked) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let server = sides::eventflow()?;
        ready.push(server.ready_after().as_secs_f64() * 1e3);
        first_booking(&generator, &server)?;
        booked.push(server.started().elapsed().as_secs_f64() * 1e3);
        server.stop()?;
    }
    println!("| it says where it listens | {:.0} |", Spread::of(&ready));
    let steps = "registered, logged in, created an event, booked";
    println!("| a person has {steps} | {:.0} |", Spread::of(&booked));
    Ok(())
}

/// Registers, logs in, creates an event and books it.
fn first_booking(generator: &Generator, server: &Server) -> Result<()> {
    let addr = server.addr();
    let person = json!({
        "username": "ada",
        "email": "ada@example.org",
        "password": "plum-Tractor-17",
    });
    let (status, answer) =
        generator.ask(addr, "POST", "/auth/register", "", &person.to_string())?;
    ensure!(status == 201, "registering: {status} {answer}");
    let login = json!({ "username": "ada", "password": "plum-Tractor-17" });
    let (status, answer) = generator.ask(addr, "POST", "/auth/login", "", &login.to_string())?;
    ensure!(status == 200, "logging in: {status} {answer}");
    let token = text(&answer, "access_token")?;
    let event = json!({
        "title": "The first",
        "description": "An evening",
        "start_time": "2099-06-01T18:00:00Z",
        "end_time": "2099-06-01T21:00:00Z",
        "location": "Bremen",
        "capacity": 10,
        "price": 10,
    });
    let (status, answer) = generator.ask(addr, "POST", "/events", &token, &event.to_string())?;
    ensure!(status == 201, "creating an event: {status} {answer}");
    let booking = json!({ "event_id": text(&answer, "id")? });
    let (status, answer) =
        generator.ask(addr, "POST", "/bookings", &token, &booking.to_string())?;
    ensure!(status == 201 && answer["status"] == "confirmed", "booking: {status} {answer}");
    Ok(())
}
