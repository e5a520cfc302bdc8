"""EventFlow's pages, in Streamlit.

| module | is |
| --- | --- |
| `main` | the script that runs for every page: who is there, which page |
| `api` | calls to EventFlow, and what can go wrong with them |
| `logins` | who is logged in; tokens stay here, on the server's side |
| `keep` | the cookie by which a browser is known again after a reload |
| `format` | times, money, and what people wrote, made harmless |
| `widgets` | what several pages show: cards, badges, empty states, questions |
| `views` | one module a page |
"""
