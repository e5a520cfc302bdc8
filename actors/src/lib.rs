//! One supervised actor per awake event.

pub mod box_office;
pub mod error;
pub mod fresh_views;

pub use box_office::{BoxOffice, EventInfo};
pub use error::{Crowd, Receipt, Request, SubmitError};
pub use fresh_views::FreshViews;
