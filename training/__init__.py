"""How the two small models for the Game of 24 were made: nobody needs it who only uses them."""
