package clients

import "time"

// wait is how long a test waits for what must come; a figure for slow machines,
// not a claim.
const wait = 90 * time.Second
