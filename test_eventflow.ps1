# The whole flow of EventFlow with PowerShell, step by step as test_eventflow.sh: register,
# log in, create, book, wait, cancel, be promoted, change, withdraw. Checks bodies as well as
# codes, and ends at the first wrong answer, saying what was asked, what was expected and
# what came.
#
#   .\test_eventflow.ps1                                     # http://localhost:8080
#   .\test_eventflow.ps1 -BaseUrl http://127.0.0.1:9000      # or $env:BASE_URL
#
# Every run makes people and events of its own, so it can be repeated on one server.
# Windows PowerShell 5.1 or PowerShell 7; no other program.
#
# A step here has the same name, requests and checks as in the shell script, in the same
# order, and `cargo xtask tidy` compares them: `step` is Step, `ask` is Ask, `send` is Send,
# `want` is Want, `want_problem` is Want-Problem, `want_header` is Want-Header. A condition
# in jq's quotes there is a block in braces here.
#
# Strings are compared with -ceq, as -eq takes capitals for small letters. A condition has
# to be exactly $true, so that no list passes for it. Only ASCII stands in this file: Windows
# PowerShell reads a script without a mark as in the system's code page.
param([string]$BaseUrl = $env:BASE_URL)

$ErrorActionPreference = 'Stop'
# An unknown variable is an error; a field that is not there is $null.
Set-StrictMode -Version 1.0

if (-not $BaseUrl) { $BaseUrl = 'http://localhost:8080' }
$BaseUrl = $BaseUrl.TrimEnd('/')
$AGE = [DateTime]::UtcNow - (New-Object DateTime(1970, 1, 1))
$RUN = '{0:0}{1}' -f [Math]::Floor($AGE.TotalSeconds), $PID
$PASSWORD = "plum-Tractor-$RUN"

# HttpClient and not Invoke-WebRequest: that one throws on 4xx, guesses at encodings, and
# differs between the two PowerShells.
Add-Type -AssemblyName System.Net.Http
if ($PSVersionTable.PSVersion.Major -lt 6) {
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    # The stream of availability stays open beside other requests.
    [Net.ServicePointManager]::DefaultConnectionLimit = 8
}
$handler = New-Object System.Net.Http.HttpClientHandler
$handler.AllowAutoRedirect = $false
$handler.UseCookies = $false
$client = New-Object System.Net.Http.HttpClient($handler)
$client.Timeout = [TimeSpan]::FromSeconds(30)
$client.DefaultRequestHeaders.ExpectContinue = $false

# Characters of an answer that are shown with a wrong one.
$SHOWN = 2000

$STEP = ''; $ASKED = ''; $SENT = ''; $CHECKS = 0; $STEPS = 0
# The last answer: code, headers, bytes, text, and what the text says as JSON.
$Status = 0; $Headers = @{}; $Bytes = ''; $Text = ''; $Answer = $null

# Names the wrong answer and ends.
function Wrong([string]$Expected, [string]$Got) {
    $lines = @('', "WRONG ANSWER in step `"$STEP`"", "  asked:    $ASKED")
    if ($SENT) { $lines += "  sent:     $SENT" }
    $lines += "  expected: $Expected"
    $lines += "  got:      $Got"
    $lines += '  body:     ' + $Text.Substring(0, [Math]::Min($SHOWN, $Text.Length))
    foreach ($line in $lines) { [Console]::Error.WriteLine($line) }
    exit 1
}

# What follows belongs to this step.
function Step([string]$Name) {
    $script:STEP = $Name
    $script:STEPS++
    Write-Host ('{0,2}. {1}' -f $STEPS, $STEP)
}

# Keeps a text as the last answer's body. A list stays a list, also one of a single row, and
# times stay text: PowerShell 7 would make dates of them. So they get an @ in front here,
# which Time takes away.
function Keep([string]$Body) {
    $script:Text = $Body
    $script:Answer = $null
    $marked = $Body -replace '"(?=\d{4}-\d{2}-\d{2}T\d{2}:\d{2})', '"@'
    try {
        $wrapped = ConvertFrom-Json -InputObject ('{"value":' + $marked + '}')
        $script:Answer = $wrapped.value
    } catch {
        # No JSON: every condition about it fails.
        $script:Answer = $null
    }
}

# Sends one request; leaves Status, Headers, Bytes, Text and Answer.
function Request([string]$Method, [string]$Path, $Content, [hashtable]$Extra, [string]$Token) {
    $script:ASKED = "$Method $BaseUrl$Path"
    $script:Text = ''; $script:Answer = $null
    $request = New-Object System.Net.Http.HttpRequestMessage((New-Object System.Net.Http.HttpMethod($Method)), [Uri]"$BaseUrl$Path")
    if ($null -ne $Content) { $request.Content = $Content }
    if ($Token) { [void]$request.Headers.TryAddWithoutValidation('Authorization', "Bearer $Token") }
    foreach ($name in $Extra.Keys) { [void]$request.Headers.TryAddWithoutValidation($name, [string]$Extra[$name]) }
    try {
        $response = $client.SendAsync($request).GetAwaiter().GetResult()
        $raw = $response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult()
    } catch {
        Wrong 'an answer' "none: $($_.Exception.GetBaseException().Message)"
    }
    $script:Status = [int]$response.StatusCode
    $script:Headers = @{}
    foreach ($header in $response.Headers) { $script:Headers[$header.Key] = @($header.Value) -join ', ' }
    foreach ($header in $response.Content.Headers) { $script:Headers[$header.Key] = @($header.Value) -join ', ' }
    $script:Bytes = [Convert]::ToBase64String($raw)
    Keep ([Text.Encoding]::UTF8.GetString($raw))
    $response.Dispose()
}

# Asks as nobody; -Form and -Multipart send fields.
function Ask([string]$Method, [string]$Path, [hashtable]$Form, [hashtable]$Multipart) {
    $script:SENT = ''
    $content = $null
    if ($Form) {
        $pairs = foreach ($name in $Form.Keys) { [Uri]::EscapeDataString($name) + '=' + [Uri]::EscapeDataString($Form[$name]) }
        $content = New-Object System.Net.Http.StringContent((@($pairs) -join '&'), [Text.Encoding]::UTF8, 'application/x-www-form-urlencoded')
    }
    if ($Multipart) {
        $content = New-Object System.Net.Http.MultipartFormDataContent
        # The quotes belong to the name: this class sends it as it is.
        foreach ($name in $Multipart.Keys) { $content.Add((New-Object System.Net.Http.StringContent($Multipart[$name])), "`"$name`"") }
    }
    Request $Method $Path $content @{} ''
}

# Asks as the person with Token ('' for nobody), with a JSON body ('' for none).
function Send([string]$Method, [string]$Path, [string]$Token, [string]$Body, [hashtable]$With = @{}) {
    $script:SENT = $Body
    $content = $null
    if ($Body) { $content = New-Object System.Net.Http.StringContent($Body, [Text.Encoding]::UTF8, 'application/json') }
    Request $Method $Path $content $With $Token
}

# The last answer has this code, and each condition that follows is true of it.
function Want([int]$Code) {
    if ($Status -ne $Code) { Wrong "status $Code" "status $Status" }
    $script:CHECKS++
    foreach ($condition in $args) {
        $kept = $false
        try { $kept = & $condition } catch { $kept = $false }
        if (-not ($kept -is [bool] -and $kept)) { Wrong ($condition.ToString().Trim()) "something else (status $Status)" }
        $script:CHECKS++
    }
}

# The last answer has this header, and it matches.
function Want-Header([string]$Name, [string]$Pattern) {
    $value = [string]$Headers[$Name]
    if ($value -cnotmatch $Pattern) { Wrong "header $Name like $Pattern" "'$value'" }
    $script:CHECKS++
}

# A problem+json with this stable code.
function Want-Problem([int]$Code, [string]$Name) {
    if ($Status -ne $Code) { Wrong "status $Code" "status $Status" }
    Want-Header Content-Type '^application/problem\+json'
    $stable = { $Answer.code -ceq $Name }
    Want $Code $stable { $Answer.detail -is [string] -and $Answer.detail.Length -gt 0 } { $Answer.retryable -is [bool] } @args
}

# A value out of the last answer.
function Take([string]$Name) {
    $value = $Answer.$Name
    if ($null -eq $value) { Wrong "a value at .$Name" 'none' }
    $value
}

# The last answer is byte for byte this one.
function Same([string]$First) {
    if ($Bytes -cne $First) { Wrong 'the first answer, byte for byte' 'other bytes' }
}

# ------------------------------------------------- what conditions ask of $Answer

# How many rows a list has; -1 is no list.
function Rows { if ($Answer -is [array]) { $Answer.Count } else { -1 } }

# Whether an object has a field.
function Has([string]$Name) { @($Answer.PSObject.Properties | ForEach-Object { $_.Name }) -ccontains $Name }

# How many fields an object has.
function Fields($Value) { @($Value.PSObject.Properties).Count }

# Whether the problem names any field.
function Has-Errors { $Answer.errors -is [array] -and $Answer.errors.Count -gt 0 }

# Whether a word stands in any text of a value, however deep.
function Mentions($Value, [string]$Word) {
    if ($Value -is [string]) { return $Value.Contains($Word) }
    if ($Value -is [array]) {
        foreach ($item in $Value) { if (Mentions $item $Word) { return $true } }
        return $false
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        foreach ($property in $Value.PSObject.Properties) { if (Mentions $property.Value $Word) { return $true } }
    }
    return $false
}

# A time as it was sent, whole seconds without their thousandths.
function Time([string]$Value) { ($Value -creplace '^@', '') -creplace '\.000Z$', 'Z' }

# The people in a list whose bookings have this status, in one order.
function Who([string]$Wanted) { Together @($Answer | Where-Object { $_.status -ceq $Wanted } | ForEach-Object { $_.user_id }) }
function Together($Ids) { @($Ids | Sort-Object) -join ' ' }

# A JSON object.
function Json([hashtable]$Fields) { ConvertTo-Json -InputObject $Fields -Compress -Depth 5 }

$UUID_V7 = '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'

# ---------------------------------------------------------------------------------------
Step 'health'
Ask GET '/health'
Want 200 { $Answer.status -is [string] }
Ask GET '/readyz'
Want 200

# ---------------------------------------------------------------------------------------
Step 'register four people'
function Register([string]$Name) {
    Send POST '/auth/register' '' (Json @{ username = "$Name-$RUN"; email = "$Name-$RUN@example.org"; password = $PASSWORD; full_name = "Test $Name" })
    $script:PERSON = "$Name-$RUN"
    Want 201 { $Answer.id -cmatch $UUID_V7 } { $Answer.username -ceq $PERSON } `
        { $Answer.email -ceq "$PERSON@example.org" } { $Answer.full_name.StartsWith('Test ') } `
        { $Answer.role -ceq 'attendee' } { $Answer.is_active -is [bool] -and $Answer.is_active } { $Answer.created_at.EndsWith('Z') } `
        { -not ((Has 'password') -or (Has 'password_hash')) }
}
Register alice; $ALICE_ID = Take id
Register bob; $BOB_ID = Take id
Register carol; $CAROL_ID = Take id
Register dave; $DAVE_ID = Take id

Step 'a taken name and a taken address are refused'
Send POST '/auth/register' '' (Json @{ username = "alice-$RUN"; email = "other-$RUN@example.org"; password = $PASSWORD })
Want-Problem 409 taken
Send POST '/auth/register' '' (Json @{ username = "other-$RUN"; email = "alice-$RUN@example.org"; password = $PASSWORD })
Want-Problem 409 taken

Step 'a registration without a password is refused'
Send POST '/auth/register' '' (Json @{ username = "eve-$RUN"; email = "eve-$RUN@example.org" })
Want 422 { Has-Errors } { Mentions $Answer 'password' }

# ---------------------------------------------------------------------------------------
Step 'log in with a form, a multipart form and JSON'
$TOKEN_GOOD = { $Answer.access_token.Length -gt 20 }, { $Answer.token_type -ceq 'bearer' }, { $Answer.expires_in -gt 0 }
Ask POST '/auth/login' -Form @{ username = "alice-$RUN"; password = $PASSWORD }
Want 200 @TOKEN_GOOD; $ALICE = Take access_token
Ask POST '/auth/login' -Multipart @{ username = "bob-$RUN"; password = $PASSWORD }
Want 200 @TOKEN_GOOD; $BOB = Take access_token
Send POST '/auth/login' '' (Json @{ username = "carol-$RUN"; password = $PASSWORD })
Want 200 @TOKEN_GOOD; $CAROL = Take access_token
Ask POST '/auth/login' -Form @{ username = "dave-$RUN@example.org"; password = $PASSWORD }
Want 200 @TOKEN_GOOD; $DAVE = Take access_token

Step 'a wrong password and an unknown name get the same answer'
Ask POST '/auth/login' -Form @{ username = "alice-$RUN"; password = "not-$PASSWORD" }
Want-Problem 401 invalid_credentials; $REFUSED = Take detail
Ask POST '/auth/login' -Form @{ username = "nobody-$RUN"; password = $PASSWORD }
Want 401 { $Answer.detail -ceq $REFUSED }

Step 'who am I'
Send GET '/auth/validate' $ALICE ''
Want 200 { $Answer.valid -is [bool] -and $Answer.valid } { $Answer.id -ceq $ALICE_ID } { $Answer.user.id -ceq $ALICE_ID } { $Answer.username -ceq "alice-$RUN" }
Send GET '/users/me' $BOB ''
Want 200 { $Answer.id -ceq $BOB_ID } { $Answer.username -ceq "bob-$RUN" } { $Answer.role -ceq 'attendee' }

Step 'no token and a bad token are refused'
Ask GET '/users/me'
Want-Problem 401 unauthorized
Send GET '/users/me' 'not.a.token' ''
Want-Problem 401 unauthorized
Send GET '/auth/validate' "${ALICE}x" ''
Want 401
Send GET '/bookings' 'not.a.token' ''
Want 401

Step 'is a name taken'
Ask GET "/users/check-username?username=ALICE-$RUN"
Want 200 { $Answer.exists -is [bool] -and $Answer.exists -and (Fields $Answer) -eq 1 }
Ask GET "/users/check-username?username=nobody-$RUN"
Want 200 { $Answer.exists -is [bool] -and -not $Answer.exists -and (Fields $Answer) -eq 1 }
Ask GET '/users/check-username'
Want-Problem 422 validation_failed

Step 'change the own account'
Send PATCH '/users/me' $DAVE '{"full_name":"Dave the Second"}'
Want 200 { $Answer.full_name -ceq 'Dave the Second' } { $Answer.id -ceq $DAVE_ID }
Send PUT '/users/me' $DAVE (Json @{ email = "alice-$RUN@example.org" })
Want-Problem 409 taken
Send PATCH '/users/me' $DAVE '{"nickname":"d"}'
Want-Problem 422 validation_failed
Send GET '/users/me' $DAVE ''
Want 200 { $Answer.full_name -ceq 'Dave the Second' } { $Answer.email -ceq "dave-$RUN@example.org" }

Step 'a refresh token works once, a second use ends the session'
Send POST '/auth/login' '' (Json @{ username = "carol-$RUN"; password = $PASSWORD })
Want 200 @TOKEN_GOOD { $Answer.refresh_token.Length -gt 40 }; $FIRST = Take refresh_token
Send POST '/auth/refresh' '' (Json @{ refresh_token = $FIRST })
Want 200 @TOKEN_GOOD; $NEXT = Take access_token
Send GET '/users/me' $NEXT ''
Want 200 { $Answer.id -ceq $CAROL_ID }
Send POST '/auth/refresh' '' (Json @{ refresh_token = $FIRST })
Want-Problem 401 unauthorized
Send GET '/users/me' $NEXT ''
Want-Problem 401 unauthorized
Send GET '/users/me' $CAROL ''
Want 200

Step 'log out'
Send POST '/auth/login' '' (Json @{ username = "bob-$RUN"; password = $PASSWORD })
Want 200; $LEAVING = Take access_token
Send POST '/auth/logout' $LEAVING ''
Want 200 { $Answer.detail -is [string] }
Send GET '/bookings' $LEAVING ''
Want-Problem 401 unauthorized
Send GET '/users/me' $BOB ''
Want 200

# ---------------------------------------------------------------------------------------
$DAY = [DateTime]::UtcNow.AddDays(30).ToString('yyyy-MM-dd', [Globalization.CultureInfo]::InvariantCulture)
$START = "${DAY}T18:00:00Z"
$END = "${DAY}T21:00:00Z"
$CONCERT = @{ title = "Concert $RUN"; description = 'An evening of brass'; start_time = $START; end_time = $END; location = "Hall $RUN, Bremen"; capacity = 2; price = 12.5 }
$CREATE = Json $CONCERT

# The concert with one field changed.
function But([string]$Field, $Value) {
    $other = $CONCERT.Clone()
    $other[$Field] = $Value
    Json $other
}

Step 'create an event with two places'
Send POST '/events' $ALICE $CREATE -With @{ 'Idempotency-Key' = "create-$RUN" }
Want 201 { $Answer.id -cmatch $UUID_V7 } { $Answer.title -ceq "Concert $RUN" } { $Answer.name -ceq $Answer.title } `
    { $Answer.capacity -eq 2 } { $Answer.available -eq 2 } { $Answer.booked -eq 0 } { $Answer.held -eq 0 } { $Answer.waitlisted -eq 0 } `
    { $Answer.price -eq 12.5 } { $Answer.organizer_id -ceq $ALICE_ID } { $Answer.is_active -is [bool] -and $Answer.is_active } `
    { $Answer.status -ceq 'open' } { $Answer.version -eq 1 } { (Time $Answer.start_time) -ceq $START } `
    { (Time $Answer.end_time) -ceq $END }
$EVENT_ID = Take id
$FIRST_BYTES = $Bytes

Step 'find it'
Ask GET "/events/search?query=concert%20$RUN"
Want 200 { (Rows) -eq 1 } { $Answer[0].id -ceq $EVENT_ID }
Ask GET "/events?title=concert%20$RUN&location=hall%20$RUN&min_price=12.5&max_price=12.5&has_seats=true&is_active=TRUE&sort=-price"
Want 200 { (Rows) -eq 1 } { $Answer[0].id -ceq $EVENT_ID }
Ask GET "/events?title=concert%20$RUN&has_seats=false"
Want 200 { (Rows) -eq 0 }
Ask GET "/events?q=brass%20$RUN&starts_after=$START"
Want 200 { (Rows) -eq 1 }
Ask GET "/events?q=brass%20$RUN&starts_before=$START"
Want 200 { (Rows) -eq 0 }
Ask GET '/events/search'
Want-Problem 422 validation_failed
Ask GET '/events?sort=colour'
Want-Problem 422 validation_failed

Step 'its version guards changes'
Ask GET "/events/$EVENT_ID"
Want 200
Want-Header ETag '^"1"$'
Send PATCH "/events/$EVENT_ID" $ALICE '{"title":"Nobody sees this"}' -With @{ 'If-Match' = '"7"' }
Want-Problem 412 precondition_failed

Step 'the same creation with the same key is the same answer'
Send POST '/events' $ALICE $CREATE -With @{ 'Idempotency-Key' = "create-$RUN" }
Want 201
Want-Header Idempotency-Replayed '^true$'
Same $FIRST_BYTES

Step 'what cannot be an event is refused'
Send POST '/events' '' $CREATE
Want 401
Send POST '/events' $ALICE '{"title": "broken'
Want-Problem 400 invalid_json
$UNTITLED = $CONCERT.Clone(); $UNTITLED.Remove('title')
Send POST '/events' $ALICE (Json $UNTITLED)
Want 422 { Has-Errors } { Mentions $Answer 'title' }
Send POST '/events' $ALICE (But end_time '2001-01-01T00:00:00Z')
Want 422 { Has-Errors }
Send POST '/events' $ALICE (But capacity 0)
Want 422 { Mentions $Answer 'capacity' }
Send POST '/events' $ALICE (But colour 'red')
Want 422 { Mentions $Answer 'colour' }

Step 'find it'
Ask GET "/events/$EVENT_ID"
Want 200 { $Answer.id -ceq $EVENT_ID } { $Answer.description -ceq 'An evening of brass' } { $Answer.available -eq 2 } `
    { Has 'timezone' } { $Answer.created_at.EndsWith('Z') }
Want-Header ETag '.'
Ask GET "/events?title=concert%20$RUN"
Want 200 { $Answer -is [array] } { (Rows) -eq 1 } { $Answer[0].id -ceq $EVENT_ID } { $Answer[0].available -eq 2 }
Ask GET "/events?name=CONCERT%20$RUN&location=hall%20$RUN&limit=5&skip=0"
Want 200 { (Rows) -eq 1 } { $Answer[0].id -ceq $EVENT_ID }
Ask GET "/events?title=concert%20$RUN&skip=1"
Want 200 { (Rows) -eq 0 }
Ask GET "/events?location=nowhere-$RUN"
Want 200 { (Rows) -eq 0 }
Ask GET '/events?limit=1'
Want 200 { $Answer -is [array] } { (Rows) -eq 1 }

# ---------------------------------------------------------------------------------------
Step 'book a place'
$BODY = Json @{ event_id = $EVENT_ID }
Send POST '/bookings' $BOB $BODY -With @{ 'Idempotency-Key' = "book-$RUN" }
Want 201 { $Answer.booking_id -cmatch $UUID_V7 } { $Answer.id -ceq $Answer.booking_id } { $Answer.event_id -ceq $EVENT_ID } `
    { $Answer.user_id -ceq $BOB_ID } { $Answer.status -ceq 'confirmed' } { $Answer.quantity -eq 1 } { $Answer.seq -gt 0 } `
    { $null -eq $Answer.waitlist_position } { $Answer.created_at.EndsWith('Z') }
Want-Header Idempotency-Key "^book-$RUN`$"
$BOB_BOOKING = Take booking_id
$FIRST_BYTES = $Bytes

Step 'the same booking with the same key is the same answer'
Send POST '/bookings' $BOB $BODY -With @{ 'Idempotency-Key' = "book-$RUN" }
Want 201
Want-Header Idempotency-Replayed '^true$'
Same $FIRST_BYTES
Send POST '/bookings' $BOB (Json @{ event_id = $EVENT_ID; quantity = 2 }) -With @{ 'Idempotency-Key' = "book-$RUN" }
Want-Problem 422 key_reused

Step 'a second booking of the same person is refused and shows the first'
Send POST '/bookings' $BOB $BODY
Want-Problem 409 already_booked { $Answer.booking.booking_id -ceq $BOB_BOOKING } { $Answer.booking.status -ceq 'confirmed' }

Step 'what cannot be a booking is refused'
Send POST '/bookings' '' $BODY
Want 401
Send POST '/bookings' $CAROL '{"event_id":'
Want 400
Send POST '/bookings' $CAROL '{}'
Want 422 { Has-Errors }
Send POST '/bookings' $CAROL (Json @{ event_id = $EVENT_ID; quantity = 0 })
Want 422
Send POST '/bookings' $CAROL '{"event_id":"01890000-0000-7000-8000-000000000000"}'
Want 404
Send POST '/bookings' $CAROL (Json @{ event_id = $EVENT_ID; quantity = 3 })
Want-Problem 409 exceeds_capacity

Step 'fill it'
Send POST '/bookings' $CAROL $BODY
Want 201 { $Answer.status -ceq 'confirmed' }
$CAROL_BOOKING = Take booking_id
Ask GET "/events/$EVENT_ID"
Want 200 { $Answer.available -eq 0 } { $Answer.booked -eq 2 } { $Answer.status -ceq 'sold_out' }

Step "who doesn't want to wait is told that it is sold out"
Send POST '/bookings' $DAVE (Json @{ event_id = $EVENT_ID; join_waitlist = $false })
Want-Problem 409 sold_out

Step 'wait'
Send POST '/bookings' $DAVE $BODY
Want 201 { $Answer.status -ceq 'waitlisted' } { $Answer.waitlist_position -eq 1 } { $Answer.user_id -ceq $DAVE_ID }
$DAVE_BOOKING = Take booking_id
Send POST '/bookings' $ALICE $BODY
Want 201 { $Answer.status -ceq 'waitlisted' } { $Answer.waitlist_position -eq 2 }
$ALICE_BOOKING = Take booking_id
Send GET "/bookings/$DAVE_BOOKING" $DAVE ''
Want 200 { $Answer.status -ceq 'waitlisted' } { $Answer.waitlist_position -eq 1 }

Step 'availability'
Ask GET "/events/$EVENT_ID/availability"
Want 200 { $Answer.capacity -eq 2 } { $Answer.booked -eq 2 } { $Answer.held -eq 0 } { $Answer.free -eq 0 } { $Answer.available -eq 0 } `
    { $Answer.waitlisted -eq 2 } { $Answer.waitlist_entries -eq 2 } { $Answer.as_of_seq -gt 0 }

# ---------------------------------------------------------------------------------------
Step 'cancel, and again'
Send DELETE "/bookings/$BOB_BOOKING" $DAVE ''
Want 404
Send DELETE "/bookings/$BOB_BOOKING" $BOB ''
Want 200 { $Answer.booking_id -ceq $BOB_BOOKING } { $Answer.status -ceq 'cancelled' }
Send DELETE "/bookings/$BOB_BOOKING" $BOB ''
Want 200 { $Answer.booking_id -ceq $BOB_BOOKING } { $Answer.status -ceq 'cancelled' }

Step 'the first who waited has the place, the second moves up'
Send GET "/bookings/$DAVE_BOOKING" $DAVE ''
Want 200 { $Answer.status -ceq 'confirmed' } { $null -eq $Answer.waitlist_position }
Send GET "/bookings/$ALICE_BOOKING" $ALICE ''
Want 200 { $Answer.status -ceq 'waitlisted' } { $Answer.waitlist_position -eq 1 }
Ask GET "/events/$EVENT_ID/availability"
Want 200 { $Answer.booked -eq 2 } { $Answer.available -eq 0 } { $Answer.waitlist_entries -eq 1 }

Step 'own lists, in every spelling'
Send GET '/bookings' $BOB ''
Want 200 { (Rows) -eq 1 } { $Answer[0].booking_id -ceq $BOB_BOOKING } { $Answer[0].status -ceq 'cancelled' }
Send GET '/bookings?status=confirmed' $BOB ''
Want 200 { (Rows) -eq 0 }
foreach ($path in "/users/$DAVE_ID/bookings", "/bookings/user/$DAVE_ID", '/users/me/bookings', '/bookings/user/me') {
    Send GET "$path" $DAVE ''
    Want 200 { (Rows) -eq 1 } { $Answer[0].booking_id -ceq $DAVE_BOOKING } { $Answer[0].status -ceq 'confirmed' } `
        { $Answer[0].event.id -ceq $EVENT_ID } { $Answer[0].event.title -ceq "Concert $RUN" }
}

Step "somebody else's list and booking are not mine to see"
Send GET "/users/$DAVE_ID/bookings" $BOB ''
Want 403
Send GET "/bookings/user/$DAVE_ID" $BOB ''
Want 403
Send GET "/bookings/$DAVE_BOOKING" $BOB ''
Want 404

Step "the organizer's list"
foreach ($path in "/events/$EVENT_ID/bookings", "/bookings/event/$EVENT_ID") {
    Send GET "$path" $ALICE ''
    Want 200 { $Answer -is [array] } `
        { (Who 'confirmed') -ceq (Together @($CAROL_ID, $DAVE_ID)) } `
        { (Who 'waitlisted') -ceq $ALICE_ID }
    Send GET "$path" $BOB ''
    Want 403
}

# ---------------------------------------------------------------------------------------
Step 'more places go to the waitlist first'
Send PATCH "/events/$EVENT_ID" $BOB '{"capacity":3}'
Want 403
Send PATCH "/events/$EVENT_ID" $ALICE '{"capacity":3}'
Want 200 { $Answer.capacity -eq 3 } { $Answer.version -eq 2 } { $Answer.booked -eq 3 } { $Answer.available -eq 0 }
Send GET "/bookings/$ALICE_BOOKING" $ALICE ''
Want 200 { $Answer.status -ceq 'confirmed' }

Step 'never below what is sold'
Send PATCH "/events/$EVENT_ID" $ALICE '{"capacity":2}'
Want-Problem 409 capacity_below_sold { $Answer.booked -eq 3 } { $Answer.held -eq 0 }
Ask GET "/events/$EVENT_ID"
Want 200 { $Answer.capacity -eq 3 } { $Answer.version -eq 2 }

Step 'change its words'
Send PUT "/events/$EVENT_ID" $ALICE (Json @{ location = 'Town hall'; title = "Gala $RUN" })
Want 200 { $Answer.location -ceq 'Town hall' } { $Answer.title -ceq "Gala $RUN" } { $Answer.version -eq 3 } { $Answer.capacity -eq 3 }
Send PATCH "/events/$EVENT_ID" $ALICE '{"title":"Too late"}' -With @{ 'If-Match' = '"1"' }
Want-Problem 412 precondition_failed
Ask GET "/events/$EVENT_ID"
Want 200 { $Answer.title -ceq "Gala $RUN" } { $Answer.name -ceq $Answer.title } { $Answer.version -eq 3 }

# ---------------------------------------------------------------------------------------
Step 'the booking of one person for one event'
Send GET "/bookings/user/$DAVE_ID/event/$EVENT_ID" $DAVE ''
Want 200 { $Answer.booking_id -ceq $DAVE_BOOKING } { $Answer.status -ceq 'confirmed' } { $Answer.ticket_code.Length -gt 0 }
Send GET "/bookings/user/me/event/$EVENT_ID" $BOB ''
Want 200 { $null -eq $Answer -and $Text.Trim() -ceq 'null' }
Send GET "/bookings/user/$DAVE_ID/event/$EVENT_ID" $BOB ''
Want-Problem 403 forbidden
Send DELETE "/bookings/user/me/event/$EVENT_ID" $BOB ''
Want-Problem 404 not_found

Step 'set places aside, with the details of the coming booking'
$SESSION = Json @{ title = "Session $RUN"; description = 'Seats to choose'; start_time = $START; end_time = $END; location = "Hall $RUN"; capacity = 2; price = 0 }
Send POST '/events' $ALICE $SESSION
Want 201
$SESSION_ID = Take id
$HOLD = Json @{ event_id = $SESSION_ID; quantity = 2; details = @{ seats = @('A1', 'A2') } }
Send POST '/bookings/holds' $BOB $HOLD -With @{ 'Idempotency-Key' = "hold-$RUN" }
Want 201 { $Answer.hold_id -cmatch $UUID_V7 } { $Answer.id -ceq $Answer.hold_id } { $Answer.event_id -ceq $SESSION_ID } `
    { $Answer.user_id -ceq $BOB_ID } { $Answer.quantity -eq 2 } { ($Answer.details.seats -join ' ') -ceq 'A1 A2' -and (Fields $Answer.details) -eq 1 } `
    { $Answer.status -ceq 'held' } { $Answer.expires_at -cgt $Answer.created_at } { $Answer.seq -gt 0 }
$BOB_HOLD = Take hold_id
$FIRST_BYTES = $Bytes
Send POST '/bookings/holds' $BOB $HOLD -With @{ 'Idempotency-Key' = "hold-$RUN" }
Want 201
Want-Header Idempotency-Replayed '^true$'
Same $FIRST_BYTES
Send POST '/bookings/holds' $BOB (Json @{ event_id = $SESSION_ID })
Want-Problem 409 has_hold { $Answer.hold_id -ceq $BOB_HOLD } { $Answer.quantity -eq 2 }
Send POST '/bookings/holds' $CAROL (Json @{ event_id = $SESSION_ID })
Want-Problem 409 sold_out
Send POST '/bookings/holds' $CAROL (Json @{ event_id = $SESSION_ID; details = @() })
Want 422 { Mentions $Answer 'details' }
Ask GET "/events/$SESSION_ID/availability"
Want 200 { $Answer.held -eq 2 } { $Answer.free -eq 0 } { $Answer.available -eq 0 }

Step 'change and extend a hold'
Send GET "/bookings/holds/$BOB_HOLD" $BOB ''
Want 200 { $Answer.status -ceq 'held' } { ($Answer.details.seats -join ' ') -ceq 'A1 A2' }
Send GET "/bookings/holds/$BOB_HOLD" $CAROL ''
Want-Problem 404 not_found
Send PATCH "/bookings/holds/$BOB_HOLD" $BOB '{"details":{"seats":["B1","B2"],"meal":"vegan"}}'
Want 200 { ($Answer.details.seats -join ' ') -ceq 'B1 B2' }
foreach ($time in 1..3) {
    Send PATCH "/bookings/holds/$BOB_HOLD" $BOB '{"extend":true}'
    Want 200 { $Answer.details.meal -ceq 'vegan' }
}
Send PATCH "/bookings/holds/$BOB_HOLD" $BOB '{"extend":true}'
Want-Problem 409 no_more_extensions

Step 'confirm a hold'
Send POST '/bookings' $BOB (Json @{ hold_id = $BOB_HOLD })
Want 201 { $Answer.status -ceq 'confirmed' } { $Answer.quantity -eq 2 } { $Answer.event_id -ceq $SESSION_ID }
Send GET "/bookings/holds/$BOB_HOLD" $BOB ''
Want 200 { $Answer.status -ceq 'confirmed' }
Send DELETE "/bookings/holds/$BOB_HOLD" $BOB ''
Want-Problem 409 already_booked

Step 'cancel by person and event, hold again, release'
Send DELETE "/bookings/user/$BOB_ID/event/$SESSION_ID" $BOB ''
Want 200 { $Answer.status -ceq 'cancelled' }
Send POST '/bookings/holds' $CAROL (Json @{ event_id = $SESSION_ID })
Want 201 { $Answer.quantity -eq 1 } { (Fields $Answer.details) -eq 0 }
$CAROL_HOLD = Take hold_id
foreach ($time in 1..2) {
    Send DELETE "/bookings/holds/$CAROL_HOLD" $CAROL ''
    Want 200 { $Answer.status -ceq 'released' }
}

Step 'the stream of availability'
$STREAM_SECONDS = 20
# More than the few updates of a booking.
$STREAM_BYTES = 65536
$script:Buffer = New-Object byte[] $STREAM_BYTES
$script:Filled = 0
$script:Reading = $null

# Reads on until the text matches, or the clock says so, or the stream ends.
function Read-Stream([IO.Stream]$Stream, [Diagnostics.Stopwatch]$Clock, [int]$UntilMs, [string]$Pattern) {
    while ($Filled -lt $STREAM_BYTES -and $Clock.ElapsedMilliseconds -lt $UntilMs) {
        if ($Pattern -and [Text.Encoding]::UTF8.GetString($Buffer, 0, $Filled) -cmatch $Pattern) { return }
        if ($null -eq $Reading) { $script:Reading = $Stream.ReadAsync($Buffer, $Filled, $STREAM_BYTES - $Filled) }
        if ($Reading.Wait(100)) {
            $read = $Reading.Result
            $script:Reading = $null
            if ($read -eq 0) { return }
            $script:Filled += $read
        }
    }
}

$STREAMED = "GET $BaseUrl/events/$SESSION_ID/availability/stream"
$ASKED = $STREAMED; $SENT = ''
$opening = New-Object System.Net.Http.HttpRequestMessage([System.Net.Http.HttpMethod]::Get, [Uri]"$BaseUrl/events/$SESSION_ID/availability/stream")
try {
    $opened = $client.SendAsync($opening, [System.Net.Http.HttpCompletionOption]::ResponseHeadersRead).GetAwaiter().GetResult()
    $stream = $opened.Content.ReadAsStreamAsync().GetAwaiter().GetResult()
} catch {
    Wrong 'an answer' "none: $($_.Exception.GetBaseException().Message)"
}
$clock = [Diagnostics.Stopwatch]::StartNew()
Read-Stream $stream $clock (1000 * $STREAM_SECONDS) '(?m)^data: .*"booked":0.*\}\r?$'
Send POST '/bookings' $DAVE (Json @{ event_id = $SESSION_ID })
Want 201 { $Answer.status -ceq 'confirmed' }
Read-Stream $stream $clock (1000 * $STREAM_SECONDS) '(?m)^data: .*"booked":1.*\}\r?$'
$ASKED = $STREAMED; $SENT = ''
if ([string]$opened.Content.Headers.ContentType -notmatch '^text/event-stream') { Wrong 'server-sent events' "'$($opened.Content.Headers.ContentType)'" }
$told = [Text.Encoding]::UTF8.GetString($Buffer, 0, $Filled) -split "`n" | Where-Object { $_ -cmatch '^data: ' } | ForEach-Object { $_.Substring(6) }
Keep ('[' + (@($told) -join ',') + ']')
$opened.Dispose()
$Status = 200
Want 200 { (Rows) -ge 2 } { $Answer[0].booked -eq 0 } { $Answer[0].capacity -eq 2 } { $Answer[-1].booked -eq 1 } { $Answer[-1].free -eq 1 }
Ask GET '/events/01890000-0000-7000-8000-000000000000/availability/stream'
Want-Problem 404 not_found

# ---------------------------------------------------------------------------------------
Step 'withdraw it'
Send DELETE "/events/$EVENT_ID" $BOB ''
Want 403
Send DELETE "/events/$EVENT_ID" $ALICE ''
Want 200 { $Answer.id -ceq $EVENT_ID } { $Answer.detail -is [string] } { $Answer.cancelled_bookings -eq 3 }
Ask GET "/events/$EVENT_ID"
Want-Problem 404 not_found
Ask GET "/events?title=gala%20$RUN"
Want 200 { (Rows) -eq 0 }
Send POST '/bookings' $BOB $BODY
Want 404

Step 'its bookings are cancelled, and say what they were for'
Send GET '/bookings/user/me' $CAROL ''
Want 200 { (Rows) -eq 1 } { $Answer[0].booking_id -ceq $CAROL_BOOKING } { $Answer[0].status -ceq 'cancelled' } `
    { $Answer[0].event.title -ceq "Gala $RUN" }
Send GET "/bookings/$DAVE_BOOKING" $DAVE ''
Want 200 { $Answer.status -ceq 'cancelled' }

Step 'they were told what happened'
foreach ($time in 1..100) {
    Send GET '/notifications?kind=EventCancelled' $CAROL ''
    if ((Rows) -ne 0) { break }
    Start-Sleep -Milliseconds 100
}
Want 200 { (Rows) -eq 1 } { $Answer[0].kind -ceq 'EventCancelled' } { $Answer[0].channel -ceq 'email' } `
    { $Answer[0].event_id -ceq $EVENT_ID } { Mentions $Answer[0].subject "Gala $RUN" } `
    { $Answer[0].id -ceq $Answer[0].notification_id } { Mentions $Answer[0].body 'does not take place' }
$NOTICE = $Answer[0].id
Send GET "/notifications/status/$NOTICE" $CAROL ''
Want 200 { $Answer.notification_id -ceq $NOTICE } { 'queued', 'sent' -ccontains $Answer.status }
Send GET "/notifications/$NOTICE" $BOB ''
Want-Problem 404 not_found
Send GET '/notifications?limit=200' $DAVE ''
Want 200 { @($Answer | ForEach-Object { $_.kind }) -ccontains 'BookingWaitlisted' } `
    { @($Answer | ForEach-Object { $_.kind }) -ccontains 'BookingPromoted' } `
    { [string]::CompareOrdinal((Time $Answer[0].created_at), (Time $Answer[-1].created_at)) -ge 0 }

Step 'what one wants to be told'
Send GET '/notifications/preferences' $CAROL ''
Want 200 { $Answer.email -eq $true } { $Answer.kinds.EventReminder -eq $true }
Send PUT '/notifications/preferences' $CAROL '{"kinds":{"EventReminder":false}}'
Want 200 { $Answer.email -eq $true } { $Answer.kinds.EventReminder -eq $false } { $Answer.kinds.BookingConfirmed -eq $true }
Send PUT '/notifications/preferences' $CAROL '{"kinds":{"Nonsense":false}}'
Want-Problem 422 validation_failed

Step 'an organizer writes to the attendees'
$MESSAGE = Json @{ event_id = $SESSION_ID; subject = "Doors $RUN"; message = 'They open at seven.' }
Send POST '/notifications/send' $DAVE $MESSAGE
Want-Problem 403 forbidden
Send POST '/notifications/send' $ALICE $MESSAGE
Want 202 { $Answer.event_id -ceq $SESSION_ID } { $Answer.to -ceq 'confirmed' } { $Answer.status -ceq 'queued' }
foreach ($time in 1..100) {
    Send GET '/notifications?kind=OrganizerMessage' $DAVE ''
    if ((Rows) -ne 0) { break }
    Start-Sleep -Milliseconds 100
}
Want 200 { (Rows) -eq 1 } { Mentions $Answer[0].subject "Doors $RUN" }

Step 'what is not there'
Ask GET '/no/such/path'
Want 404
Ask GET '/events/not-an-id'
Want 404

Write-Host ''
Write-Host "all right: $STEPS steps, $CHECKS checks against $BaseUrl"
